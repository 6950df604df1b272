"""A GStreamer RTSP server that loops one H.264 clip, evenly paced; run by the system's Python, which has `gi`.

`python3 bench_gstreamer.py UNITS STREAMS`: a file of encoded pictures, each with its length (4 bytes, big-endian)
before it; serves `/camera0`, … and prints its port. Imports nothing of Lamplight.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import gi  # type: ignore[import-not-found] # the system's Python has it

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import (  # type: ignore[import-not-found] # noqa: E402 - gi wants the versions first
    GLib,
    Gst,
    GstRtspServer,
)

FPS = 25
LAUNCH = (
    "( appsrc name=src is-live=true format=time block=false "
    "caps=video/x-h264,stream-format=byte-stream,alignment=au,framerate=25/1 "
    "! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 )"
)


def read_units(path: Path) -> list[bytes]:
    """Return the pictures in a file."""
    data, at, units = path.read_bytes(), 0, []
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        units.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return units


class Looping(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc] # gi has no types
    """A medium that pushes the clip's pictures, one every 40 ms."""

    def __init__(self, units: list[bytes]) -> None:
        """Loop `units`."""
        super().__init__()
        self._units = units

    def do_create_element(self, _url: object) -> object:
        """Make the pipeline."""
        return Gst.parse_launch(LAUNCH)

    def do_configure(self, media: object) -> None:
        """Begin to push."""
        source = media.get_element().get_child_by_name("src")  # type: ignore[attr-defined] # gi has no types
        count = 0

        def push() -> bool:
            nonlocal count
            buffer = Gst.Buffer.new_wrapped(self._units[count % len(self._units)])
            buffer.duration = Gst.SECOND // FPS
            buffer.pts = buffer.dts = count * buffer.duration
            count += 1
            return bool(source.emit("push-buffer", buffer) == Gst.FlowReturn.OK)

        GLib.timeout_add(1000 // FPS, push)


def serve(units: list[bytes], streams: int) -> None:
    """Serve until killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    mounts = server.get_mount_points()
    for number in range(streams):
        mounts.add_factory(f"/camera{number}", Looping(units))
    server.attach(None)
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    serve(read_units(Path(sys.argv[1])), int(sys.argv[2]))
