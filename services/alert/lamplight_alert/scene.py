"""A moment of a camera as rules look at it: each scope made ready for CEL once, whatever the number of rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from lamplight_alert.model import Over, Subject
from lamplight_alert.scopes import (
    CameraView,
    MatchView,
    Scope,
    ThingView,
    ZoneView,
    camera_scope,
    match_scope,
    thing_scope,
    zone_scope,
)

Prepare = Callable[[Scope], object]
View = ThingView | ZoneView | CameraView | MatchView


@dataclass(frozen=True)
class Finding:
    """A subject of a moment, what was seen of it, and its scope made ready."""

    subject: Subject
    view: View
    context: object


@dataclass(frozen=True)
class Lens:
    """How a scope is made ready for CEL, and the countable classes, each at 0."""

    prepare: Prepare
    zeros: Mapping[str, int]


class Scene:
    """What is known of a camera at a moment; `things` and `zones` are None where no picture tells them."""

    def __init__(
        self,
        lens: Lens,
        camera: CameraView,
        things: Sequence[ThingView] | None = None,
        zones: Sequence[ZoneView] | None = None,
    ) -> None:
        """Keep what is known; scopes are made when the first rule asks."""
        self._lens = lens
        self.camera = camera
        self.things = things
        self.zones = zones

    def findings(self, over: Over) -> tuple[Finding, ...]:
        """Return the subjects that a rule over `over` may hold for (none for matches, which come by themselves)."""
        if over is Over.THING:
            return self._things
        if over is Over.ZONE:
            return self._zones
        return self._camera if over is Over.CAMERA else ()

    def match(self, subject: Subject, view: MatchView) -> Finding:
        """Return a match as a finding."""
        return Finding(subject, view, self._prepare({"match": match_scope(view)}))

    @cached_property
    def _seen_camera(self) -> dict[str, object]:
        return camera_scope(self.camera, self._lens.zeros)

    @cached_property
    def _camera(self) -> tuple[Finding, ...]:
        subject = Subject(Over.CAMERA, self.camera.id)
        return (Finding(subject, self.camera, self._prepare({})),)

    @cached_property
    def _things(self) -> tuple[Finding, ...]:
        return tuple(
            Finding(
                Subject(Over.THING, thing.place_id, thing.class_name, thing.zones),
                thing,
                self._prepare({"thing": thing_scope(thing)}),
            )
            for thing in self.things or ()
        )

    @cached_property
    def _zones(self) -> tuple[Finding, ...]:
        return tuple(
            Finding(
                Subject(Over.ZONE, zone.id, zone_ids=(zone.id,)),
                zone,
                self._prepare({"zone": zone_scope(zone, self._lens.zeros)}),
            )
            for zone in self.zones or ()
        )

    def _prepare(self, own: Scope) -> object:
        return self._lens.prepare({**own, "camera": self._seen_camera})
