"""The gRPC server that `RuleApi` answers on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lamplight.rule.v1 import rule_pb2_grpc
from lamplight_kit.rpc import Refused, Role, RpcServer, Tokens
from lamplight_kit.service import AsyncPart

from lamplight_alert.api import RuleApi

_SERVICE = "/lamplight.rule.v1.RuleService/"
ALLOW: Mapping[str, Role] = {
    f"{_SERVICE}ListRules": Role.VIEWER,
    f"{_SERVICE}ListDestinations": Role.VIEWER,
    f"{_SERVICE}ApplyRules": Role.ADMIN,
    f"{_SERVICE}RemoveRule": Role.ADMIN,
    f"{_SERVICE}ApplyDestinations": Role.ADMIN,
    f"{_SERVICE}RemoveDestination": Role.ADMIN,
}


class GrpcApi(AsyncPart):
    """Serves rules and destinations to callers that its tokens know; a component of `lamplight_kit.service`."""

    name = "grpc"

    def __init__(self, listen: str, tokens: Tokens, api: RuleApi, on_refused: Refused | None = None) -> None:
        """Listen at `listen` (host:port, port 0: any) once started; `on_refused` is told as `RpcServer` says."""
        super().__init__()
        self._server = RpcServer(
            listen,
            [lambda server: rule_pb2_grpc.add_RuleServiceServicer_to_server(api, server)],
            tokens,
            ALLOW,
            on_refused=on_refused,
        )
        self.port = 0

    def follow(self, reasons: Callable[[], Mapping[str, str]]) -> None:
        """Let the health service say what the whole process says."""
        self._server.follow(reasons)

    async def open(self) -> None:
        """Listen; `port` is then the one in force."""
        self.port = await self._server.start()

    async def close(self, timeout_s: float) -> None:
        """Let running calls end."""
        await self._server.stop(timeout_s)
