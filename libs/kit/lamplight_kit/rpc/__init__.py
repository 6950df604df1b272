"""gRPC: servers and channels that name their caller."""

from lamplight_kit.rpc.callers import Caller, Role, Tokens, sha256_of
from lamplight_kit.rpc.channel import blocking_channel, channel
from lamplight_kit.rpc.part import RpcPart
from lamplight_kit.rpc.problems import problems_of, refuse_input
from lamplight_kit.rpc.server import Refused, RpcServer, current_caller

__all__ = [
    "Caller",
    "Refused",
    "Role",
    "RpcPart",
    "RpcServer",
    "Tokens",
    "blocking_channel",
    "channel",
    "current_caller",
    "problems_of",
    "refuse_input",
    "sha256_of",
]
