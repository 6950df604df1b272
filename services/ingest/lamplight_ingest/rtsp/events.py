"""What the client tells, and the bounds within which it listens."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Fault(Enum):
    """Why a session is over, by what is to be done about it."""

    REFUSED = "refused"  # the server says no: credentials, not found, nothing to see
    AWAY = "away"  # it broke off or made no sense: try again
    SILENT = "silent"  # it plays, but nothing comes: try again
    ODD = "odd"  # it speaks RTSP in a way that this client does not: another client may
    NO_TCP = "no_tcp"  # it sends pictures, but not over this connection: over UDP, another client may


@dataclass(frozen=True, slots=True)
class Activity:
    """What came of the video between two key pictures, theirs left out: RTP packets, their bytes, pictures.

    `discarded`: the wanted pictures among them that were given up, since something was missing or too much.
    """

    packets: int = 0
    packet_bytes: int = 0
    pictures: int = 0
    discarded: int = 0


@dataclass(frozen=True, slots=True)
class Playing:
    """The stream runs; `codec` is FFmpeg's name: h264 or hevc."""

    codec: str
    clock_hz: int


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One whole picture as Annex B; a key one begins with the parameter sets in force.

    `after_gap`: pictures or packets were lost since the unit before. `rtp_time`: the RTP time stamp in ticks of the
    clock, unwrapped. `at_ns`: Unix ns by the server's last sender report, None before the first. `before`: what came
    since the last key picture. `leads`: shown before the key picture that it follows, and built on pictures from before
    it: of no use to whoever begins at that key picture.
    """

    codec: str
    data: bytes = field(repr=False)
    is_key: bool
    after_gap: bool
    rtp_time: int
    at_ns: int | None
    before: Activity
    leads: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """The server sends us elsewhere, where we may go: connect to `RtspClient.successor`'s target. Ends this session."""

    url: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The session is over; `reason` is for an operator and holds no credentials of ours."""

    fault: Fault
    reason: str


Event = Playing | AccessUnit | Moved | Failed


class SessionError(Exception):
    """Ends the session from within; the client turns it into `Failed`."""

    def __init__(self, fault: Fault, reason: str) -> None:
        """End with `Failed(fault, reason)`."""
        super().__init__(reason)
        self.failed = Failed(fault, reason)


@dataclass(frozen=True)
class Limits:
    """The most that a server may make us hold or wait for; bytes, counts, seconds."""

    head_bytes: int = 16 << 10
    headers: int = 100
    body_bytes: int = 64 << 10
    output_bytes: int = 64 << 10
    garbage_bytes: int = 256 << 10
    picture_bytes: int = 16 << 20
    events_bytes: int = 32 << 20
    events: int = 4096
    moves: int = 3
    reply_s: float = 10.0

    @property
    def item_bytes(self) -> int:
        """The longest stretch of bytes that must be held until it makes sense: a message, or a packet."""
        return max(self.head_bytes + self.body_bytes, 4 + 0xFFFF)
