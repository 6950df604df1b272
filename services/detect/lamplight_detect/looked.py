"""A picture that was looked at, and one that was searched and waits for the next sample before it may leave."""

from __future__ import annotations

from dataclasses import dataclass

from lamplight_detect.camera import Watched
from lamplight_detect.decode import Picture
from lamplight_detect.evidence import Stored
from lamplight_detect.gate import Look, Recent, Searched, View
from lamplight_detect.places import Step


@dataclass(frozen=True)
class Looked:
    """A picture with what was found in it; `whole` is None where it was not searched, since nothing has changed."""

    picture: Picture
    view: View
    whole: Look | None
    watched: Watched
    step: Step
    is_changed: bool
    is_again: bool
    health: frozenset[int]
    wanted_zones: frozenset[str]


@dataclass(frozen=True)
class Pending:
    """A searched picture that has not left: `recent` holds the masks from before it; at most one a camera.

    `asked` is what it will be stored as, its key left open. It is kept decoded (height x width x 3 bytes): encoding it
    again would be an encoder outside of the gate.
    """

    looked: Looked
    searched: Searched
    recent: Recent
    asked: Stored
    is_scene_due: bool
