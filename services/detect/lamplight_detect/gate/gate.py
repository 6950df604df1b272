"""The privacy gate: the only way from a picture to a `RedactedPicture`. It fails closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass
from typing import TypeVar

import numpy as np
from lamplight_kit.errors import LamplightError
from lamplight_kit.onnx import Role
from numpy.typing import NDArray

from lamplight_detect.detections import Boxes, Detections
from lamplight_detect.gate.aside import Aside, aside_of, masks_of
from lamplight_detect.gate.closeup import is_anyone
from lamplight_detect.gate.fill import Backdrop, filled
from lamplight_detect.gate.look import Look, looked, seen_by
from lamplight_detect.gate.masks import SOMEBODY, Masks, burnt, covered, merged
from lamplight_detect.gate.motion import Mask, Recent, Sample, coarse, follows
from lamplight_detect.gate.people import people_boxes, plan_of
from lamplight_detect.gate.picture import GateClosed, RedactedPicture
from lamplight_detect.gate.plates import bands, bands_of
from lamplight_detect.gate.policy import Policy
from lamplight_detect.gate.poses import Turns
from lamplight_detect.gate.search import plates
from lamplight_detect.gate.searcher import Searcher, lit
from lamplight_detect.gate.view import View
from lamplight_detect.models.finder import Finder, ModelFault

Answer = TypeVar("Answer")
_NO_BOXES = np.zeros((0, 4), np.float32)
_HAND = object()


@dataclass(frozen=True)
class Released:
    """What a release leaves: the picture, all that was found in it, and the sample to hold its masks by."""

    picture: RedactedPicture
    found: Detections
    sample: Sample


@dataclass(frozen=True)
class Searched:
    """A picture that was searched and has not been released: what is to be masked in it, and the sample it leaves."""

    view: View
    found: Detections
    boxes: Mapping[str, Boxes]
    motion: Mask | None
    sample: Sample
    turns: Turns
    is_searched_twice: bool
    scale: float
    hand: InitVar[object]

    def __post_init__(self, hand: object) -> None:
        """Refuse to be made by anything but `Gate.search`."""
        if hand is not _HAND:
            message = "a Searched made by hand found; only the privacy gate makes one"
            raise TypeError(message)


class Gate:
    """Finds who and what must not be seen, and releases the picture without them."""

    def __init__(
        self, things: Finder, faces: Finder, policy: Policy, why_closed: Callable[[], str] = lambda: ""
    ) -> None:
        """Use models of the roles things and faces; GateClosed where one is of another role.

        Nothing is searched or released while `why_closed` returns a reason.
        """
        for finder, role in ((things, Role.THINGS), (faces, Role.FACES)):
            if finder.manifest.role != role:
                message = f"model {finder.manifest.name} of role {finder.manifest.role} found, {role} expected"
                raise GateClosed(message)
        self.things, self.faces, self.policy, self._why_closed = things, faces, policy, why_closed

    @property
    def _searcher(self) -> Searcher:
        return Searcher(self.things, self.faces, self.policy)

    def check_open(self) -> None:
        """Raise GateClosed while there is a reason to hold everything back."""
        why = self._why_closed()
        if why:
            raise GateClosed(why)

    def look(self, view: View) -> Look:
        """Return all that the first pass sees in the whole picture, from the lowest score on; GateClosed at a fault."""
        self.check_open()
        return _closing(lambda: looked(self._searcher.whole(view), view.bgr))

    def glance(self, view: View, whole: Detections, recent: Recent, standing_vehicles: Boxes = _NO_BOXES) -> Sample:
        """Return what a picture that is not released leaves to hold masks by: of the first pass, and motion."""
        manifest, policy = self.things.manifest, self.policy
        boxes = {
            "person": people_boxes(whole, manifest, view.frame_hw, policy),
            "plate": np.concatenate(
                [bands(whole, manifest, view.frame_hw, policy), bands_of(standing_vehicles, policy)]
            ),
        }
        return _sample(
            view, covered(view.frame_hw, boxes, recent.motion(view.luma, view.at_ns, view.frame_hw, policy)), boxes
        )

    def is_anyone(self, view: View, box_xyxy: Boxes) -> bool:
        """Tell whether anybody may be in the box [1, 4] of `view`, looked at in all turns and at two scales."""
        self.check_open()
        return _closing(lambda: is_anyone(self.things, lit(view, self.policy).bgr, box_xyxy, self.policy.whole_score))

    def release(self, view: View, whole: Look, recent: Recent, standing_vehicles: Boxes = _NO_BOXES) -> Released:
        """Return the redacted picture; GateClosed with the reason where anything at all is not as it must be.

        `whole` is what `look` saw of this very `view`, nothing else; `standing_vehicles` [N, 4] keep their bands though
        a picture misses them.
        """
        return self.finish(self.search(view, whole, recent, standing_vehicles), recent)

    def release_still(self, view: View, whole: Look) -> Released:
        """Return a single picture redacted, as `release` does; searched in more tiles, it may leave larger."""
        recent = Recent()
        return self.finish(self.search(view, whole, recent, most_tiles=self.policy.most_still_tiles), recent)

    def search(
        self,
        view: View,
        whole: Look,
        recent: Recent,
        standing_vehicles: Boxes = _NO_BOXES,
        most_tiles: int | None = None,
    ) -> Searched:
        """Return what must be masked in a picture, for `finish`; as `release` takes it and raises.

        It is searched in at most `most_tiles` fine tiles, as the policy says where that is None.
        """
        self.check_open()
        most = self.policy.most_tiles if most_tiles is None else most_tiles
        return _closing(lambda: self._search(view, seen_by(whole, view.bgr), recent, standing_vehicles, most))

    def finish(
        self, searched: Searched, recent: Recent, after: Sample | None = None, backdrop: Backdrop | None = None
    ) -> Released:
        """Return the redacted picture of `searched`, under the masks held from `recent` and those of the next sample.

        `after` is the next picture's sample where a caller can wait for it; it counts where the source is live.
        Where none counts, the picture is searched a second time, mirrored, if it was not yet. GateClosed as `release`
        raises it, also where the gate has closed since the search. Masks are filled from `backdrop` where it may fill
        and nobody is found in what it shows.
        """
        self.check_open()
        return _closing(lambda: self._finish(searched, recent, after, backdrop))

    def set_aside(self, searched: Searched, recent: Recent, after: Sample | None = None) -> Aside:
        """Return the masks of `searched` as `finish` merges them, to `show` the same picture by; raises as `finish`."""
        self.check_open()
        return _closing(lambda: aside_of(searched.view.bgr, self._masks(searched, recent, after)))

    def show(self, aside: Aside, bgr: NDArray[np.uint8], backdrop: Backdrop | None = None) -> RedactedPicture:
        """Return `bgr` redacted by the masks of `aside`; GateClosed where it is not the very picture they are of."""
        self.check_open()
        return _closing(lambda: self._burnt(bgr, masks_of(aside, bgr), backdrop))

    def _search(
        self, view: View, whole: Detections, recent: Recent, standing_vehicles: Boxes, most_tiles: int
    ) -> Searched:
        hw, policy, manifest = view.frame_hw, self.policy, self.things.manifest
        is_alone = recent.held(view.at_ns, hw, policy) is None or recent.vouched is None
        poses, turns = self._searcher.poses(view, whole, recent, most_tiles, is_mirrored=is_alone)
        boxes = {
            "person": np.concatenate([one.people(manifest, hw, turns, policy) for one in poses]),
            "face": np.concatenate([one.faces_back(hw, policy) for one in poses]),
            "plate": np.concatenate([plates(poses, turns, manifest, hw, policy), bands_of(standing_vehicles, policy)]),
        }
        motion = recent.motion(view.luma, view.at_ns, hw, policy)
        scale = plan_of(self.things, hw, policy, most_tiles).leaving(policy)
        sample = _sample(view, covered(hw, boxes, motion), boxes, turns)
        return Searched(view, poses[0].things, boxes, motion, sample, turns, is_alone, scale, _HAND)

    def _finish(self, searched: Searched, recent: Recent, after: Sample | None, backdrop: Backdrop | None) -> Released:
        picture = self._burnt(searched.view.bgr, self._masks(searched, recent, after), backdrop)
        return Released(picture, searched.found, searched.sample)

    def _masks(self, searched: Searched, recent: Recent, after: Sample | None) -> Masks:
        view, policy = searched.view, self.policy
        hw = view.frame_hw
        held = recent.held(view.at_ns, hw, policy, after)
        is_followed = after is not None and follows(after, view.at_ns, hw, policy)
        boxes = searched.boxes if is_followed or searched.is_searched_twice else self._boxes_twice(searched)
        people = recent.people(view.at_ns, hw, policy, after)
        return merged(hw, boxes, searched.motion, held, searched.scale, people)

    def _burnt(self, bgr: NDArray[np.uint8], masks: Masks, backdrop: Backdrop | None) -> RedactedPicture:
        """Burn `masks` in, and fill them where a backdrop may."""
        if backdrop is None:
            return burnt(bgr, masks)
        score = self.policy.whole_score
        return burnt(
            bgr,
            masks,
            lambda shown, holes: (backdrop.bgr, filled(self.things, shown, holes, backdrop, score, self.policy)),
        )

    def _boxes_twice(self, searched: Searched) -> Mapping[str, Boxes]:
        """Return the masks of a picture that no later one stands by: with those that a second look adds."""
        view, manifest, policy = searched.view, self.things.manifest, self.policy
        again = self._searcher.mirrored(view)
        more = {
            "person": again.people(manifest, view.frame_hw, searched.turns, policy),
            "plate": plates([again], searched.turns, manifest, view.frame_hw, policy),
        }
        return {kind: np.concatenate([boxes, more.get(kind, _NO_BOXES)]) for kind, boxes in searched.boxes.items()}


def _closing(call: Callable[[], Answer]) -> Answer:
    """Return what `call` returns; whatever it raises closes the gate."""
    try:
        return call()
    except GateClosed:
        raise
    except LamplightError as error:
        raise GateClosed(str(error)) from None
    except Exception as error:  # noqa: BLE001 - whatever a runtime raises, nothing was searched
        raise GateClosed(_fault(error)) from None


def _sample(view: View, mask: Mask, boxes: Mapping[str, Boxes], turns: Turns | None = None) -> Sample:
    people = {kind: found for kind, found in boxes.items() if kind in SOMEBODY}
    return Sample(view.at_ns, view.frame_hw, view.luma, coarse(mask), turns, coarse(covered(view.frame_hw, people)))


def _fault(error: Exception) -> str:
    """Name what was raised; never its text, which may quote what it was raised over."""
    return f"{type(error).__name__} in a model found, an answer expected; run `lamplight doctor`"


__all__ = ["Gate", "GateClosed", "ModelFault", "Released", "Searched", "View"]
