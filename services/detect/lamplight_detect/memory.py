"""What detect remembers of one camera between its pictures; in memory only, save the places."""

from __future__ import annotations

from dataclasses import dataclass, field

from lamplight.observation.v1 import observation_pb2

from lamplight_detect.change import Luma
from lamplight_detect.decode import Decoder
from lamplight_detect.evidence import Stored
from lamplight_detect.gate import Recent
from lamplight_detect.places import Place
from lamplight_detect.things import Counted


@dataclass(frozen=True)
class Known:
    """What the last picture told (`epoch_seq` of its Frame); a picture that has not changed tells the same."""

    frame_hw: tuple[int, int] = (0, 0)
    luma: Luma | None = None
    places: tuple[Place, ...] = ()
    things: tuple[observation_pb2.Thing, ...] = ()
    counted: Counted | None = None
    health: frozenset[int] = frozenset()
    recent: Recent = field(default_factory=Recent)
    stored: Stored = field(default_factory=Stored)
    gate_closed: str = ""
    scene_at_ns: int = 0
    scene_stale: bool = True
    things_at_ns: int = 0
    places_at_ns: int = 0
    at_ns: int = 0
    epoch_seq: tuple[int, int] = (0, -1)


@dataclass
class CameraMemory:
    """One camera's decoder, order and knowledge; the one value of detect that changes, by its one user at a time."""

    epoch: int = 0
    seq: int = -1
    known: Known = field(default_factory=Known)
    decoder: Decoder = field(default_factory=Decoder)
    told_broken_ns: int = 0
