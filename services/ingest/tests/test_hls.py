"""HLS over real sockets: playlists and segments through our own client, bytes to the demuxer, gaps until a keyframe."""

from __future__ import annotations

import contextlib
import io
import itertools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import ingest_media as media
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lamplight_ingest import hls
from lamplight_ingest.adapters.http import HttpSource
from lamplight_ingest.adapters.http_hosts import HttpHosts
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.doors import Doors, parse
from lamplight_ingest.hls import NoPlaylist, Piece, choose
from lamplight_ingest.model import Picture, SourceAway, SourceError, SourceRefused
from lamplight_kit.clock import SystemClock

SEGMENT_S = 0.5
HEAD = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n"


@dataclass
class Site:
    """A web server whose pages a test writes; `moved` redirects; with `nonces` it wants Digest, each serves once."""

    pages: dict[str, bytes] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    nonces: set[str] | None = None
    port: int = 0

    def url(self, path: str) -> str:
        """Return the address of a page."""
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
def site() -> Iterator[Site]:
    """A server on loopback that knows ranges."""
    made = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            made.asked.append(self.path)
            if made.nonces is not None and not self._proved(made.nonces):
                return
            body, status = made.pages.get(self.path, b""), 200 if self.path in made.pages else 404
            span = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
            if span[0]:
                body, status = body[int(span[0]) : int(span[2]) + 1], 206
            if self.path in made.moved:
                status = 302
            self.send_response(status)
            if status == 302:
                self.send_header("Location", made.moved[self.path])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _proved(self, nonces: set[str]) -> bool:
            told = self.headers.get("Authorization", "").partition('nonce="')[2].partition('"')[0]
            if told in nonces:
                nonces.remove(told)
                return True
            nonces.add(f"n{len(made.asked)}")
            self.send_response(401)
            self.send_header("WWW-Authenticate", f'Digest realm="r", nonce="n{len(made.asked)}", qop="auth"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):
                super().handle()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[bytes]]:
    """Four segments of half a second as TS; an init and four segments as fragmented MP4."""
    folder = tmp_path_factory.mktemp("hls")
    whole = media.video(folder / "whole.mp4", seconds=2.0, key_every_s=SEGMENT_S)
    made: dict[str, list[bytes]] = {}
    for kind, options in (("mpegts", {}), ("mp4", {"movflags": "frag_keyframe+empty_moov+default_base_moof"})):
        out = io.BytesIO()
        with av.open(str(whole)) as source, av.open(out, "w", format=kind, options=options) as sink:
            stream = sink.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(source.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    sink.mux(packet)
        made[kind] = [out.getvalue()]
    boxes = _boxes(made["mp4"][0])
    moofs = [at for at, (name, _) in enumerate(boxes) if name == b"moof"]
    made["init"] = [b"".join(data for name, data in boxes[: moofs[0]])]
    made["mp4"] = [boxes[at][1] + boxes[at + 1][1] for at in moofs]
    made["ts"] = [_one_ts(whole, number, folder) for number in range(4)]
    return made


def _boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    boxes, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        boxes.append((data[at + 4 : at + 8], data[at : at + size]))
        at += size
    return boxes


def _one_ts(whole: Path, number: int, folder: Path) -> bytes:
    """Cut the segment `number` out of a file, as an encoder's segmenter does."""
    path = folder / f"{number}.ts"
    with av.open(str(whole)) as source, av.open(str(path), "w", format="mpegts") as sink:
        stream = sink.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.pts is not None and packet.time_base is not None:
                at_s = float(packet.pts * packet.time_base)
                if number * SEGMENT_S - 0.01 <= at_s < (number + 1) * SEGMENT_S - 0.01:
                    packet.stream = stream
                    sink.mux(packet)
    return path.read_bytes()


def source(
    url: str, *, keys_only: bool = False, doors: Doors | None = None, login: Credentials | None = None
) -> HttpSource:
    """Return the source of a playlist."""
    hosts = HttpHosts(doors or Doors(allow_loopback=True), 1.0)
    return HttpSource(parse(url), login, hosts, SystemClock(), gap_s=0.1, max_bytes=100_000, keys_only=keys_only)


def pictures(found: HttpSource, count: int) -> list[Picture]:
    """Return the first pictures of a source, and end it."""
    found.open()
    with contextlib.closing(found.pictures()) as came:
        taken = list(itertools.islice(came, count))
    found.close()
    return taken


def listed(*names: str, first: int = 0, end: bool = True, tags: str = "") -> bytes:
    """Return a media playlist; a name may hold tags of its own before it, by lines."""
    lines = "".join(
        f"{name.rpartition(chr(10))[0]}\n#EXTINF:{SEGMENT_S},\n{name.rpartition(chr(10))[2]}\n" for name in names
    )
    return f"{HEAD}#EXT-X-MEDIA-SEQUENCE:{first}\n{tags}\n{lines}{'#EXT-X-ENDLIST' if end else ''}\n".encode()


def test_ts_segments_give_every_picture_at_its_pace(site: Site, segments: Mapping[str, list[bytes]]) -> None:
    """Keyframes with parameter sets, the playlist's own dates as the source's time, decodable as a whole."""
    site.pages = {f"/{number}.ts": data for number, data in enumerate(segments["ts"])}
    date = "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.500Z"
    site.pages["/live.m3u8"] = listed("0.ts", "1.ts", "2.ts", "3.ts", tags=date)
    came = pictures(source(site.url("/live.m3u8")), 30)
    assert len(came) == 20
    assert [picture.is_key for picture in came] == [number % 5 == 0 for number in range(20)]
    assert media.decoded("h264", [picture.data for picture in came]) == 20
    assert [(picture.source_at_ns or 0) - (came[0].source_at_ns or 0) for picture in came[:7]] == pytest.approx(
        [number * 10**8 for number in range(7)], abs=10**7
    )
    assert came[0].source_at_ns == 1_767_323_045_500_000_000
    assert (came[-1].received_ns - came[0].received_ns) / 1e9 == pytest.approx(1.9, abs=0.6)
    assert not any(picture.lost_before for picture in came)


def test_a_server_whose_nonces_serve_once_gives_its_segments(site: Site, segments: Mapping[str, list[bytes]]) -> None:
    """Each playlist and segment is proved for anew."""
    site.pages = {f"/{number}.ts": data for number, data in enumerate(segments["ts"])}
    site.pages["/live.m3u8"] = listed("0.ts", "1.ts", end=True)
    site.nonces = set()
    assert len(pictures(source(site.url("/live.m3u8"), login=Credentials("u", "p")), 8)) == 8
    assert site.asked.count("/1.ts") == 2


def test_fragmented_mp4_is_read_by_ranges_too(site: Site, segments: Mapping[str, list[bytes]]) -> None:
    """One file that holds all, its map fetched once; keyframes alone where no others are wanted."""
    parts = [*segments["init"], *segments["mp4"]]
    site.pages = {"/all.mp4": b"".join(parts)}
    sizes = [len(part) for part in parts]
    names = [f"#EXT-X-BYTERANGE:{size}{f'@{sizes[0]}' if not at else ''}\nall.mp4" for at, size in enumerate(sizes[1:])]
    site.pages["/live.m3u8"] = listed(*names, tags=f'#EXT-X-MAP:URI="all.mp4",BYTERANGE="{sizes[0]}@0"')
    came = pictures(source(site.url("/live.m3u8"), keys_only=True), 30)
    assert len(came) == 4
    assert all(picture.is_key and media.decoded("h264", [picture.data]) == 1 for picture in came)
    assert site.asked.count("/all.mp4") == 5


def test_a_master_playlist_leads_to_the_cheapest_stream_that_is_tall_enough(
    site: Site, segments: Mapping[str, list[bytes]]
) -> None:
    """Sound alone is none; relative addresses stand from where redirects have led."""
    site.pages = {"/a/b/0.ts": segments["ts"][0], "/a/b/mid.m3u8": listed("0.ts")}
    site.pages["/a/master.m3u8"] = (
        b'#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2"\nsound.m3u8\n'
        b"#EXT-X-STREAM-INF:BANDWIDTH=200000,RESOLUTION=320x180\nlow.m3u8\n"
        b"#EXT-X-STREAM-INF:BANDWIDTH=9000000,RESOLUTION=1920x1080\nhigh.m3u8\n"
        b'#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,CODECS="avc1.4d,mp4a"\nb/mid.m3u8\n'
    )
    site.moved = {"/start.m3u8": "/a/master.m3u8"}
    found = source(site.url("/start.m3u8"))
    assert len(pictures(found, 9)) == 5
    assert found.transport == "http-hls"
    assert site.asked == ["/start.m3u8", "/a/master.m3u8", "/a/b/mid.m3u8", "/a/b/0.ts"]


def test_a_live_stream_begins_at_its_newest_and_marks_what_it_missed(
    site: Site, segments: Mapping[str, list[bytes]]
) -> None:
    """A segment that is told to be missing, that is gone, or never seen: what comes next comes after a loss."""
    site.pages = {f"/{number}.ts": data for number, data in enumerate(segments["ts"])}
    site.pages["/live.m3u8"] = listed("0.ts", "1.ts", first=7, end=False)
    found = source(site.url("/live.m3u8"), keys_only=True)
    with contextlib.closing(found.pictures()) as came:
        assert not next(came).lost_before
        assert "/0.ts" not in site.asked
        site.pages["/live.m3u8"] = listed("1.ts", "#EXT-X-GAP\n2.ts", "3.ts", first=8, end=False)
        assert next(came).lost_before
        assert "/2.ts" not in site.asked
        site.pages["/live.m3u8"] = listed("nowhere.ts", "2.ts", first=11, end=False)
        assert next(came).lost_before
        site.pages["/live.m3u8"] = listed("#EXT-X-DISCONTINUITY\n0.ts", first=13, end=False)
        assert not next(came).lost_before
        site.pages["/live.m3u8"] = listed("0.ts", "1.ts", first=2, end=False)
        assert next(came).lost_before
        found.close()


@pytest.mark.parametrize(
    ("page", "kind", "words"),
    [
        (listed("0.ts", tags='#EXT-X-KEY:METHOD=AES-128,URI="k"'), SourceRefused, "encrypted by AES-128"),
        (listed("http://169.254.169.254/0.ts"), SourceRefused, "metadata"),
        (listed("file:///etc/passwd"), SourceRefused, "where we may not go"),
        (listed("http://u:p@127.0.0.1/0.ts"), SourceRefused, "without a user"),
        (listed("moved.ts"), SourceRefused, "metadata"),
        (HEAD.encode() + b"#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://[fe80::1]/x.m3u8\n", SourceRefused, "link-local"),
        (HEAD.encode() + b'#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="mp4a"\nx.m3u8\n', SourceRefused, "no video"),
        (b"<html>", SourceAway, "#EXTM3U"),
        (b"#EXTM3U\n" * 300_000, SourceRefused, "more than 1048576 bytes"),
        (listed(*["nowhere.ts"] * 6), SourceAway, "status 404"),
        (listed(*["noise.ts"] * 6), SourceAway, "broken segments"),
    ],
)  # fmt: skip
def test_what_a_playlist_may_not_do(site: Site, page: bytes, kind: type[SourceError], words: str) -> None:
    """Closed doors on every address in it, nothing encrypted, nothing endless."""
    site.pages = {"/live.m3u8": page, "/noise.ts": b"\x47" + b"noise" * 999}
    site.moved = {"/moved.ts": "http://169.254.169.254/latest"}
    with pytest.raises(kind, match=words):
        pictures(source(site.url("/live.m3u8")), 1)


def test_a_playlist_that_grows_no_more_is_away(site: Site, segments: Mapping[str, list[bytes]]) -> None:
    """After a few of its own target durations."""
    site.pages = {"/0.ts": segments["ts"][0]}
    page = listed("0.ts", end=False).replace(b"TARGETDURATION:1", b"TARGETDURATION:0.5")
    site.pages["/live.m3u8"] = page
    with pytest.raises(SourceAway, match="grows no more"):
        pictures(source(site.url("/live.m3u8")), 99)


def test_the_demuxer_reaches_nothing_by_itself() -> None:
    """Neither files nor hosts that its input names."""
    with pytest.raises(av.FFmpegError), av.open("http://127.0.0.1:9/", options={"protocol_whitelist": "none"}):
        pass


lines = st.one_of(
    st.sampled_from(
        [
            "#EXTM3U",
            "#EXT-X-ENDLIST",
            "#EXT-X-GAP",
            "#EXTINF:6,",
            "a.ts",
            "#EXT-X-KEY:METHOD=NONE",
            "#EXT-X-BYTERANGE:5",
        ]
    ),
    st.text(max_size=40),
    st.builds(
        lambda tag, value: f"#EXT{tag}:{value}",
        st.sampled_from(
            ["INF", "-X-BYTERANGE", "-X-MAP", "-X-PROGRAM-DATE-TIME", "-X-TARGETDURATION", "-X-STREAM-INF"]
        ),
        st.text(max_size=20),
    ),
)


@given(st.lists(lines, max_size=20))
def test_any_text_is_read_or_refused(text: list[str]) -> None:
    """Whatever stands in it: bounded durations, no other error."""
    try:
        playlist = hls.parse("\n".join(["#EXTM3U", *text]), "http://h/a.m3u8")
        choose(playlist.variants)
    except NoPlaylist:
        return
    assert all(0 <= segment.duration_s <= hls.MAX_SEGMENT_S for segment in playlist.segments)


def test_ranges_go_on_where_the_one_before_ended() -> None:
    """RFC 8216, 4.3.2.2."""
    text = "#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:10@5\na\n#EXTINF:1,\n#EXT-X-BYTERANGE:7\na\n#EXTINF:1,\nb\n"
    pieces = [segment.piece for segment in hls.parse(text, "http://h/x/l.m3u8").segments]
    assert pieces == [Piece("http://h/x/a", (5, 10)), Piece("http://h/x/a", (15, 7)), Piece("http://h/x/b")]
