"""`lamplight camera probe` against real servers: what each is, and an entry that cameras.yaml takes as it is."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lamplight_cli.commands import run
from lamplight_cli.files.cameras import read_cameras
from lamplight_demo.cameras import http, rtsp
from lamplight_demo.media.encode import jpeg, write_mp4

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
PASSWORD = "pass-word-never-shown"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds with a keyframe every half."""
    path = tmp_path / "clip.mp4"
    write_mp4((np.full((48, 64, 3), 40 + 4 * i, np.uint8) for i in range(40)), path, fps=20, key_every_s=0.5)
    return path


def probed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[Mapping[str, Any]], str]:
    """Return exit status, JSON lines and errors of a probe on loopback."""
    status = run(["camera", "probe", *arguments, "--allow-loopback", "--json"])
    captured = capsys.readouterr()
    return status, [json.loads(line) for line in captured.out.splitlines()], captured.err


def test_a_stream_is_told_and_its_entry_can_be_applied(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By RTSP; in words the same, with a whole cameras.yaml."""
    with rtsp.serve(clip) as server:
        status, (line,), _ = probed(capsys, server.url())
        assert (status, line["kind"], line["error"]) == (0, "probe", None)
        assert (line["transport"], line["codec"], line["frame_hw"], line["time"]) == (
            "rtsp",
            "h264",
            [48, 64],
            "source",
        )
        assert line["rate_hz"] == pytest.approx(20, rel=0.2)
        assert line["keyframe_interval_s"] == pytest.approx(0.5, abs=0.1)
        assert [each["pictures"] for each in line["sampling"]] == ["keyframes", "all"]
        assert run(["camera", "probe", server.url(), "--allow-loopback", "--for", "5"]) == 0
    text = capsys.readouterr().out
    (tmp_path / "cameras.yaml").write_text(text[text.index("version: 1") :], encoding="utf-8")
    (camera,) = read_cameras(tmp_path / "cameras.yaml").cameras
    assert camera.source == server.url()


def test_a_snapshot_and_a_file_are_told(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each by its own way."""
    steps = tuple(http.Step(jpeg(np.full((32, 40, 3), shade, np.uint8)), 1.0) for shade in range(0, 200, 20))
    with http.serve({"quay": http.Script(steps)}) as server:
        status, (line,), _ = probed(capsys, server.url(), "--for", "6")
    assert (status, line["transport"], line["codec"], line["frame_hw"]) == (0, "http-snapshot", "mjpeg", [32, 40])
    status, (line,), _ = probed(capsys, str(clip))
    assert (status, line["transport"], line["rate_hz"], line["camera"]["source"]) == (0, "file", 20, str(clip))


@contextmanager
def device(rtsp_url: str) -> Iterator[str]:
    """Serve an ONVIF device without Media2 whose one profile is the stream at `rtsp_url`; it knows another host."""
    port, rest = re.fullmatch(r"rtsp://127\.0\.0\.1:(\d+)(.*)", rtsp_url).groups()  # type: ignore[union-attr]  # ours
    stream = f"rtsp://192.168.7.7:{port}{rest}"
    answers = {
        "GetSystemDateAndTime": "<x/>",
        "GetServices": "<s:Fault><Reason><Text>not known</Text></Reason></s:Fault>",
        "GetCapabilities": "<Capabilities><Media><XAddr>http://192.168.7.7/onvif/Media</XAddr></Media></Capabilities>",
        "GetProfiles": "<Profiles token='p'><Name>P</Name><VideoEncoderConfiguration><Encoding>H264</Encoding>"
        "<Resolution><Width>64</Width><Height>48</Height></Resolution></VideoEncoderConfiguration></Profiles>",
        "GetStreamUri": f"<Uri>{stream}</Uri>",
        "GetSnapshotUri": "<Uri/>",
    }

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
            call = asked.partition("<s:Body><")[2].partition(" ")[0].partition("/")[0]
            body = f"<s:Envelope xmlns:s='x'><s:Body>{answers[call]}</s:Body></s:Envelope>".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_an_onvif_device_leads_to_its_stream(
    clip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From behind a NAT; its profile is told, its stream is looked at, the entry names the secret and no password."""
    monkeypatch.setenv("LAMPLIGHT_SECRET_GATE", f"root:{PASSWORD}")
    with rtsp.serve(clip) as server, device(server.url()) as host:
        status, (profile, line), errors = probed(capsys, f"onvif://{host}", "--secret", "gate")
    assert status == 0, errors
    assert (profile["kind"], profile["frame_hw"], profile["stream"]) == ("profile", [48, 64], server.url())
    assert "192.168.7.7" in profile["note"]
    assert (line["source"], line["codec"], line["camera"]["credentials"]) == (server.url(), "h264", {"secret": "gate"})
    assert PASSWORD not in json.dumps([profile, line]) + errors


def test_what_cannot_be_looked_at_ends_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    """With the reason and the cure on stderr."""
    status, (line,), errors = probed(capsys, "rtsp://127.0.0.1:9/x", "--secret", "nowhere")
    assert (status, line["camera"]) == (1, None)
    assert "LAMPLIGHT_SECRET_NOWHERE" in errors
    assert run(["camera", "probe", "http://127.0.0.1:9/x"]) == 1
    assert "--allow-loopback" in capsys.readouterr().err
