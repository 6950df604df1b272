"""Attacks on the one door, the seal, texts of errors, and the process itself."""

from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from types import ModuleType

import cv2
import lamplight_detect
import numpy as np
import pytest
from lamplight_detect.adapters.video_file import VideoFile
from lamplight_detect.adapters.watchdog import Threads, TimedFinder
from lamplight_detect.change import small_luma
from lamplight_detect.decode import Unreadable, decode_still
from lamplight_detect.detections import Detections
from lamplight_detect.gate import Recent, RedactedPicture, Source, View
from lamplight_detect.models.finder import ModelFault
from lamplight_detect.models.nanodet import NanoDet
from lamplight_detect.redact import Redactor
from lamplight_detect.regions import Shot, scene
from lamplight_detect.testing import Room, noise
from lamplight_kit.onnx import Manifest
from lamplight_kit.seal import BadSeal, segments, verify
from lamplight_models import manifest
from numpy.typing import NDArray


def released(room: Room, bgr: NDArray[np.uint8]) -> RedactedPicture:
    """Send a picture through the gate."""
    view = View(bgr, small_luma(bgr), 0)
    return room.gate.release(view, room.gate.look(view), Recent()).picture


def test_a_redacted_picture_cannot_be_changed_into_another(room: Room) -> None:
    """`dataclasses.replace` does not carry the door's token along with other pixels."""
    picture = released(room, noise())
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(picture, bgr=noise(9))


def test_a_sealed_picture_cannot_be_changed_into_another(room: Room) -> None:
    """Nor does it turn a verified picture into one that nobody verified."""
    sealed = verify(room.sealer.sealed(released(room, noise()), Source("cam", 1)), room.keys)
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(sealed, jpeg=b"anything")


def test_nothing_rides_along_in_a_seal(room: Room) -> None:
    """What stands in the seal beside what is signed (unknown fields, 60 KB of them) makes it a bad seal."""
    sealed = room.sealer.sealed(released(room, noise()), Source("cam", 1))
    payload, bare = segments.extract(sealed)
    smuggled = cv2.imencode(".jpg", noise(7))[1].tobytes()[:30_000]
    length = len(smuggled)
    varint = bytes([length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14])
    stuffed = segments.insert(bare, payload + b"\xfa\x01" + varint + smuggled)  # field 31, length-delimited
    with pytest.raises(BadSeal):
        verify(stuffed, room.keys)


def one_door() -> ModuleType:
    """Return the module that searches for encoders."""
    path = Path(lamplight_detect.__file__).parents[1] / "tests" / "test_one_door.py"
    spec = importlib.util.spec_from_file_location("one_door_under_attack", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "source",
    [
        "from cv2 import imencode as small\nsmall('.jpg', x)\n",
        "import cv2\ngetattr(cv2, 'imencode')('.jpg', x)\n",
        "from av import open as container\ncontainer('x.mp4', 'w')\n",
        "import av\nav.CodecContext.create('mjpeg', 'w').encode(x)\n",
        "frame.to_image().save('x.png')\n",
        "frame.save('x.png')\n",
        "import numpy as np\nnp.save('x.npy', bgr)\n",
        "import imageio.v3 as iio\niio.imwrite('x.png', bgr)\n",
        "bgr.tofile('x.raw')\n",
    ],
    ids=["alias", "getattr", "av alias", "codec", "to_image", "frame.save", "np.save", "imageio", "tofile"],
)
def test_the_search_sees_every_way_to_write_a_picture(tmp_path: Path, source: str) -> None:
    """Aliases, names in strings, raw encoders and plain dumps of arrays are found as well."""
    module = tmp_path / "leak.py"
    module.write_text(source)
    assert set(one_door().encoders_in(module))


def test_the_search_sees_the_doors_token_by_any_name() -> None:
    """A module that imports the token from the gate's picture module is found."""
    text = Path(one_door().__file__ or "").read_text(encoding="utf-8")
    assert '"redacted._DOOR"' not in text, "only this spelling is looked for; `from …picture import _DOOR` is not"


def test_a_refusal_quotes_nothing_of_the_picture() -> None:
    """A damaged PNG's bytes do not get into a reason, which goes to logs, verdicts and observations."""
    data = cv2.imencode(".png", noise())[1].tobytes()
    at = data.index(b"IDAT") - 4
    marker = b"LEAK"
    spoilt = data[:at] + (40).to_bytes(4, "big") + marker + data[at + 8 :]
    with pytest.raises(Unreadable) as told:
        decode_still(spoilt)
    assert "LEAK" not in str(told.value)
    with pytest.raises(Unreadable) as told:
        decode_still(
            data[:8] + (13).to_bytes(4, "big") + marker + bytes(13) + zlib.crc32(marker + bytes(13)).to_bytes(4, "big")
        )
    assert "LEAK" not in str(told.value)


def cut_in_the_scan(data: bytes) -> bytes:
    """Return a JPEG whose last scan stops half way, with its end marker."""
    scan = data.rindex(b"\xff\xda")
    kept = data[: scan + (len(data) - scan) // 2].rstrip(b"\xff")
    return kept + b"\xff\xd9"


@pytest.mark.parametrize("progressive", [0, 1], ids=["baseline", "progressive"])
def test_a_jpeg_that_lost_half_of_its_scan_is_refused(progressive: int) -> None:
    """With an end marker put behind what had come, half of the picture is grey: nobody was searched there."""
    picture = cv2.GaussianBlur(noise(3, (240, 320)), (5, 5), 0)
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive])[1].tobytes()
    with pytest.raises(Unreadable):
        decode_still(cut_in_the_scan(data))


def test_a_progressive_jpeg_of_its_first_scans_is_refused() -> None:
    """The first scans of a progressive JPEG are a blurred picture: nobody can be found in it, nor excluded."""
    picture = cv2.GaussianBlur(noise(3, (240, 320)), (5, 5), 0)
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    with pytest.raises(Unreadable):
        decode_still(data[:second] + b"\xff\xd9")


def test_a_png_that_lost_half_of_its_pixels_is_refused() -> None:
    """Chunks whose checksums hold, but whose pixels stop half way."""
    raw = b"".join(b"\x00" + row.tobytes() for row in noise(1, (120, 160))[:60])

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    head = (160).to_bytes(4, "big") + (120).to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    with pytest.raises(Unreadable):
        decode_still(data)


def test_a_picture_that_no_jpeg_holds_leaves_smaller_or_not(room: Room) -> None:
    """An upload wider than the encoder takes leaves as small as it was searched, or is refused; nothing is raised."""
    wide = np.zeros((16, 65_600, 3), np.uint8)
    data = cv2.imencode(".png", wide)[1].tobytes()
    result = Redactor(room.gate, room.sealer, VideoFile).redact_picture(data)
    assert result.refused or max(result.leaving_hw) <= 65_500


def test_memory_refused_is_a_reason_not_an_exception(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload for which there is no memory is refused with a reason."""

    def broken(_bgr: object) -> None:
        raise MemoryError

    monkeypatch.setattr("lamplight_detect.redact.small_luma", broken)
    data = cv2.imencode(".png", noise())[1].tobytes()
    assert Redactor(room.gate, room.sealer, VideoFile).redact_picture(data).refused


class Constant:
    """A session that answers the same numbers whatever it is shown."""

    def __init__(self, level: float) -> None:
        """Answer `level` everywhere."""
        self.manifest: Manifest = manifest("nanodet")
        self._level = level

    def run(self, tensor: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return arrays of the right shapes and one value."""
        assert tensor.ndim == 4
        side = self.manifest.input.input_hw
        assert side is not None
        outputs = {}
        bins = int(self.manifest.decode.numbers["bins"])
        for output in self.manifest.outputs:
            stride = output.stride or 8
            cells = -(-side[0] // stride) * -(-side[1] // stride)
            width = len(self.manifest.classes) if output.meaning == "scores" else 4 * bins
            outputs[output.name] = np.full((1, cells, width), self._level, np.float32)
        return outputs


def test_a_model_that_answers_one_value_everywhere_is_broken() -> None:
    """All zeros is what a spoilt session says, not a street where nobody is: no working model gives one value."""
    with pytest.raises(ModelFault):
        NanoDet(Constant(0.0)).find(noise(), 0.05)


def test_a_model_that_hung_once_is_run_again(room: Room) -> None:
    """After a call that hangs for ever the next one gets a thread: recovery is by itself."""
    forever, hung = threading.Event(), [False]
    real = room.things.find

    def find(picture: NDArray[np.uint8], at_least: float) -> Detections:
        if not hung[0]:
            hung[0] = True
            forever.wait(30)
        return real(picture, at_least)

    room.things.find = find  # type: ignore[method-assign] # hangs once
    finder = TimedFinder(room.things, Threads(1), 0.2)
    with pytest.raises(ModelFault):
        finder.find(noise(), 0.05)
    try:
        assert len(finder.find(noise(), 0.05)) == 0
    finally:
        forever.set()


def test_a_region_always_fits_its_topic(room: Room) -> None:
    """However grainy the scene, a region fits the 65,536 bytes of its topic."""
    frame_hw = (1024, 1024)
    room.things.whole_hw = frame_hw
    grain = np.random.default_rng(1).integers(0, 256, (512, 512, 3), np.uint8)
    picture = released(room, cv2.resize(grain, frame_hw[::-1], interpolation=cv2.INTER_NEAREST))
    shot = Shot(picture, np.zeros((0, 4), np.float32), Source("cam", 1), 1, 1, "key")
    assert scene(shot, room.sealer).ByteSize() <= 65_536


@pytest.mark.parametrize("name", ["train", "boat", "airplane"])
def test_a_road_vehicle_by_another_name_wears_a_band(room: Room, name: str) -> None:
    """A lorry or a bus that the model takes for a train or a boat wears its band all the same."""
    room.things.said = [(name, (40.0, 40.0, 100.0, 80.0), 0.6)]
    picture = released(room, noise())
    assert (picture.bgr[56:80, 42:98] == 127).all()


def test_a_video_without_its_seal_is_not_left(room: Room, tmp_path: Path) -> None:
    """Where the seal cannot be written, no video is left without one."""
    import av

    path, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise(), format="bgr24")))
        container.mux(stream.encode(None))
    (tmp_path / "out.mp4.seal").mkdir()
    refused = Redactor(room.gate, room.sealer, VideoFile).redact_video(path, out).refused
    assert "Error while redacting found" in refused
    assert {one.name for one in tmp_path.iterdir()} == {"in.mp4", "out.mp4.seal"}


PROGRAM = """
import ctypes, resource
from pathlib import Path
{setup}
print(resource.getrlimit(resource.RLIMIT_CORE)[0], ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux'")
@pytest.mark.parametrize("argv", [["redact", "x.jpg", "--out", "o"], ["watch", "x.mp4"]], ids=["redact", "watch"])
def test_the_cli_cannot_be_dumped_where_it_decodes(tmp_path: Path, argv: list[str]) -> None:
    """`lamplight redact` and `watch` decode raw pictures in their own process: no core dump, not dumpable there."""
    setup = (
        "import lamplight_detect.bootstrap as b\n"
        "class Done(BaseException): pass\n"
        "def spy(*a, **k): raise Done\n"
        "b.local = spy\n"
        "import lamplight_cli.models as m\n"
        "m.ensure_models = lambda *a, **k: None\n"
        "from lamplight_cli.commands import root\n"
        "entry = next(getattr(root, n) for n in ('cli', 'main', 'root', 'command', 'lamplight') if hasattr(root, n))\n"
        f"import sys; sys.argv = ['lamplight', *{argv!r}]\n"
        "try:\n"
        f"    entry({argv!r}) if not hasattr(entry, 'main') else entry.main({argv!r}, standalone_mode=False)\n"
        "except Done: pass\n"
        "except SystemExit: pass\n"
    )
    (tmp_path / "x.jpg").write_bytes(cv2.imencode(".jpg", noise())[1].tobytes())
    (tmp_path / "x.mp4").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(setup=setup)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert done.stdout.split()[-2:] == ["0", "0"], done.stderr[-800:] + done.stdout


@pytest.mark.parametrize("kind", ["m3u8", "ffconcat"])
def test_a_file_that_points_at_another_is_no_video(tmp_path: Path, kind: str) -> None:
    """A playlist makes the demuxer open whatever files it names: what is given is read, and nothing else."""
    import av

    other = tmp_path / "other.ts"
    with av.open(str(other), "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise(), format="bgr24")))
        container.mux(stream.encode(None))
    list_ = tmp_path / f"list.{kind}"
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n"
    list_.write_text(playlist if kind == "m3u8" else f"ffconcat version 1.0\nfile {other.name}\n")
    with pytest.raises(Unreadable):
        list(VideoFile(list_).pictures())
