"""GStreamer's RTSP server for the tests, run by the system's Python, which has its bindings.

Usage: rtsp_gst_server.py FILE.mp4 h264|h265 [user password]. Prints its port; ends when stdin does.
"""

from __future__ import annotations

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - versions are named first

ACCESS = "viewer,media.factory.access=true,media.factory.construct=true"


def main(path: str, codec: str, *login: str) -> None:
    """Serve `path` at /live, paced by its own time, until stdin ends."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = GstRtspServer.RTSPMediaFactory()
    pay = f"{codec}parse ! rtp{codec}pay name=pay0 pt=96"
    factory.set_launch(f"( filesrc location={path} ! qtdemux ! {pay} )")
    if login:
        lock(server, factory, *login)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)  # noqa: T201 - what the test waits for
    loop = GLib.MainLoop()
    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_HUP | GLib.IO_IN, lambda *_: loop.quit())
    loop.run()


def lock(server: GstRtspServer.RTSPServer, factory: GstRtspServer.RTSPMediaFactory, user: str, password: str) -> None:
    """Ask for user and password, by Digest."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    factory.add_role_from_structure(Gst.Structure.new_from_string(ACCESS))


if __name__ == "__main__":
    main(*sys.argv[1:])
