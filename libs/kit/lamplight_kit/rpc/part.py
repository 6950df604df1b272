"""A gRPC server as a component of a service."""

from __future__ import annotations

from lamplight_kit.rpc.server import Reasons, RpcServer
from lamplight_kit.service import AsyncPart


class RpcPart(AsyncPart):
    """Starts and ends an `RpcServer` on a loop of its own."""

    name = "grpc"

    def __init__(self, server: RpcServer) -> None:
        """Serve `server` once started."""
        super().__init__()
        self._server = server
        self.port = 0

    def follow(self, reasons: Reasons) -> None:
        """Let the health service say what the whole process says: that it serves, while `reasons` gives none."""
        self._server.follow(reasons)

    async def open(self) -> None:
        """Listen; `port` is then the one in force."""
        self.port = await self._server.start()

    async def close(self, timeout_s: float) -> None:
        """Let the calls in hand end."""
        await self._server.stop(timeout_s)
