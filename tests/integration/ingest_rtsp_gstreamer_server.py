"""GStreamer's RTSP server as a camera: run by the system's Python, which has the bindings.

ingest_rtsp_gstreamer_server.py CONFIG: a JSON file {"codec": "h264" | "h265", "units": PATH, "fps": N, "user": …,
"password": …, "method": "basic" | "digest" | null, "sound": bool, "udp": bool, "aggregate": bool}. `units`
holds encoded pictures as Annex B, each with its length (4 bytes, big-endian) before it; they are sent over and over.
Prints the port once it listens.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - versions go first

ROLE = "viewer"


def read_units(path: Path) -> list[bytes]:
    """Return the encoded pictures in a file."""
    data, at, units = path.read_bytes(), 0, []
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        units.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return units


class Factory(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]
    """Makes one pipeline a viewer, which starts at the first picture."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.codec, self.fps, self.sound, self.udp = (config[name] for name in ("codec", "fps", "sound", "udp"))
        self.aggregate = "zero-latency" if config["aggregate"] else "none"
        self.units = read_units(Path(config["units"]))
        self.set_shared(False)

    def do_create_element(self, _url: object) -> object:
        """Return the pipeline."""
        codec = self.codec
        caps = f"video/x-{codec},stream-format=byte-stream,alignment=au,framerate={self.fps}/1"
        video = f"appsrc name=src is-live=true format=time block=false caps={caps} ! {codec}parse ! rtp{codec}pay pt=96"
        sound = "audiotestsrc is-live=true ! mulawenc ! rtppcmupay name=pay0 pt=0 " if self.sound else ""
        name = "pay1" if self.sound else "pay0"
        told = f"name={name} config-interval=1 aggregate-mode={self.aggregate}"
        return Gst.parse_launch(f"( {sound}{video} {told} )")

    def do_configure(self, media: Any) -> None:
        """Push a picture whenever one is due."""
        if self.udp:
            media.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
        source = media.get_element().get_child_by_name("src")
        duration = Gst.SECOND // self.fps
        state = {"index": 0}

        def push() -> bool:
            index = state["index"]
            buffer = Gst.Buffer.new_wrapped(self.units[index % len(self.units)])
            buffer.pts = buffer.dts = index * duration
            buffer.duration = duration
            state["index"] = index + 1
            return bool(source.emit("push-buffer", buffer) == Gst.FlowReturn.OK)

        GLib.timeout_add(1000 // self.fps, push)


def protect(server: Any, factory: Factory, config: dict[str, Any]) -> None:
    """Let only the configured user in."""
    auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, ROLE)
    if config["method"] == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(config["user"], config["password"], token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(config["user"], config["password"]), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    for permission in (GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT):
        permissions.add_permission_for_role(ROLE, permission, True)
    factory.set_permissions(permissions)


def main() -> None:
    """Serve `/live` on a free port of this machine until killed."""
    config = json.loads(Path(sys.argv[1]).read_text())
    Gst.init(None)
    server, factory = GstRtspServer.RTSPServer(), Factory(config)
    server.set_address("127.0.0.1")
    server.set_service("0")
    if config["method"]:
        protect(server, factory, config)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)  # noqa: T201 - whoever started us reads it
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
