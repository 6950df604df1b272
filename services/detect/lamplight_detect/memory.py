"""What detect remembers of one camera between its pictures; in memory only, save the places."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lamplight.observation.v1 import observation_pb2

from lamplight_detect.background import Scene
from lamplight_detect.change import Luma
from lamplight_detect.decode import Decoder
from lamplight_detect.evidence import Stored
from lamplight_detect.gate import Recent
from lamplight_detect.looked import Pending
from lamplight_detect.places import Place
from lamplight_detect.things import Counted


@dataclass(frozen=True)
class Known:
    """What the last picture told (`epoch_seq` of its Frame); a picture that has not changed tells the same.

    `gap_ns` lies between the last two pictures; `pending` is a picture that waits for the next one to leave;
    `has_explained` tells that something which stood unexplained was explained since: a picture of it is due.
    """

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
    gap_ns: int = 0
    scene: Scene = field(default_factory=Scene, repr=False)
    has_explained: bool = False
    pending: Pending | None = field(default=None, repr=False)

    @property
    def asked(self) -> Stored:
        """What was so when the newest picture that was stored, or is about to be, was taken."""
        return self.stored if self.pending is None else self.pending.asked

    def without_pending(self) -> Known:
        """Return it with the picture that waits dropped: a picture, and what was to be cut from it, are due again."""
        if self.pending is None:
            return self
        scene = {"scene_at_ns": 0, "scene_stale": True} if self.pending.is_scene_due else {}
        return replace(self, pending=None, things_at_ns=0, **scene)  # type: ignore[arg-type] # a mixture


@dataclass
class CameraMemory:
    """One camera's decoder, order and knowledge; the one value of detect that changes, by its one user at a time."""

    epoch: int = 0
    seq: int = -1
    known: Known = field(default_factory=Known)
    decoder: Decoder = field(default_factory=Decoder)
    told_broken_ns: int = 0
