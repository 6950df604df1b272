"""The gRPC server that `RuleApi` answers on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from lamplight.rule.v1 import rule_pb2_grpc
from lamplight_kit.rpc import Refused, Role, RpcPart, RpcServer, Tokens

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


class GrpcApi(RpcPart):
    """Serves rules and destinations to callers that its tokens know; a component of `lamplight_kit.service`."""

    def __init__(self, listen: str, tokens: Tokens, api: RuleApi, on_refused: Refused | None = None) -> None:
        """Listen at `listen` (host:port, port 0: any) once started; `on_refused` is told as `RpcServer` says."""
        register = partial(rule_pb2_grpc.add_RuleServiceServicer_to_server, api)
        super().__init__(RpcServer(listen, [register], tokens, ALLOW, on_refused=on_refused))
