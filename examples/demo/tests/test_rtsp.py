"""The replaying RTSP server is a camera to libavformat, and answers as RFC 2326 says."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from lamplight_demo.cameras import rtsp
from lamplight_demo.media.encode import write_mp4

FPS = 20
PICTURES = 20
HW = (96, 128)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a second of video whose brightness rises with every picture."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_mp4((np.full((*HW, 3), 40 + 8 * i, np.uint8) for i in range(PICTURES)), path, fps=FPS, key_every_s=0.5)
    return path


@pytest.fixture(scope="module")
def server(clip: Path) -> Iterator[rtsp.RtspServer]:
    """Run a server that replays it under two names."""
    with rtsp.serve({"quay": clip, "bridge": clip}) as running:
        yield running


def test_libavformat_reads_on_past_the_end_with_rising_timestamps(server: rtsp.RtspServer) -> None:
    """A viewer sees the file again and again, and its timestamps only rise."""
    with av.open(server.url("quay"), options={"rtsp_transport": "tcp"}, timeout=10) as camera:
        frames = list(islice(camera.decode(video=0), PICTURES + 8))
    brightness = [frame.to_ndarray(format="gray").mean() for frame in frames]
    pts = [frame.pts for frame in frames[1:] if frame.pts is not None]  # libavformat dates no first picture of RTSP
    assert [frame.width for frame in frames[:1]] == [HW[1]]
    assert all(np.diff(brightness[:PICTURES]) > 0)
    assert brightness[PICTURES] == pytest.approx(brightness[0], abs=2)
    assert len(pts) == len(frames) - 1
    assert all(a < b for a, b in pairwise(pts))


def test_two_viewers_each_start_at_the_first_picture(server: rtsp.RtspServer) -> None:
    """A viewer that comes later sees the file from its start."""
    for name in ("quay", "bridge"):
        with av.open(server.url(name), options={"rtsp_transport": "tcp"}, timeout=10) as camera:
            first = next(camera.decode(video=0))
        assert first.to_ndarray(format="gray").mean() == pytest.approx(40, abs=12)


@pytest.mark.parametrize(
    ("request_lines", "expected"),
    [
        ("OPTIONS rtsp://h/quay RTSP/1.0", "200 OK"),
        ("DESCRIBE rtsp://h/quay RTSP/1.0", "sprop-parameter-sets="),
        ("DESCRIBE rtsp://h/nowhere RTSP/1.0", "404 Not Found"),
        ("SETUP rtsp://h/quay/trackID=0 RTSP/1.0\r\nTransport: RTP/AVP;unicast;client_port=5000-5001", "461"),
        ("SETUP rtsp://h/quay/trackID=0 RTSP/1.0\r\nTransport: RTP/AVP/TCP;unicast;interleaved=4-5", "interleaved=4-5"),
        ("PLAY rtsp://h/quay RTSP/1.0", "454"),
        ("RECORD rtsp://h/quay RTSP/1.0", "405"),
        ("GET_PARAMETER rtsp://h/quay RTSP/1.0", "Session:"),
        ("nonsense", "405"),
    ],
)
def test_answers_each_request(server: rtsp.RtspServer, request_lines: str, expected: str) -> None:
    """A request meets the status that the RFC names for it, and its own sequence number."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{request_lines}\r\nCSeq: 7\r\n\r\n".encode())
        answer = connection.recv(4096).decode()
    assert expected in answer
    assert "CSeq: 7" in answer


def test_the_port_is_free_again_after_the_block(clip: Path) -> None:
    """Leaving the block ends the server even while someone watches."""
    with rtsp.serve(clip) as first:
        camera = av.open(first.url(), options={"rtsp_transport": "tcp"}, timeout=10)
        next(camera.decode(video=0))
    with rtsp.serve(clip, port=first.port) as second:
        assert second.port == first.port
    camera.close()


def test_refuses_a_file_that_is_not_h264(tmp_path: Path) -> None:
    """What the server cannot send is refused before it listens, with its codec's name."""
    path = tmp_path / "clip.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuvj420p")))
        container.mux(stream.encode())
    with pytest.raises(ValueError, match="mjpeg found, h264 expected"), rtsp.serve(path):
        pytest.fail("served a file it cannot send")
