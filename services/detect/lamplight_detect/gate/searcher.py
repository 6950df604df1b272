"""Searching a picture in every pose that a policy asks for; what is found there is masked by `gate`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lamplight_detect.detections import Detections
from lamplight_detect.gate.lightened import lightening_of
from lamplight_detect.gate.motion import Mask, Recent
from lamplight_detect.gate.people import in_tiles
from lamplight_detect.gate.policy import Policy
from lamplight_detect.gate.poses import TURNS, Pose, Turns, proportioned, reduced
from lamplight_detect.gate.search import InPose, voted
from lamplight_detect.gate.sharpened import blur_of, sharpened
from lamplight_detect.gate.spared import found_where, spared
from lamplight_detect.gate.view import View
from lamplight_detect.models.finder import Finder, believable
from lamplight_detect.models.letterbox import Bgr


def lit(view: View, policy: Policy) -> View:
    """Return `view` as the models are shown it: a dark one lightened. It is searched, and never leaves."""
    shown = lightening_of(view.luma, policy).shown(view.bgr)
    return view if shown is view.bgr else replace(view, bgr=shown)


@dataclass(frozen=True)
class Searcher:
    """Searches pictures with both models; raises what they raise."""

    things: Finder
    faces: Finder
    policy: Policy

    def whole(self, view: View) -> Detections:
        """Return what the first pass sees in the whole picture, from the lowest score on."""
        return believable(self.things.find(lit(view, self.policy).bgr, self.policy.whole_score), view.frame_hw)

    def poses(
        self, view: View, whole: Detections, recent: Recent, most_tiles: int, *, is_mirrored: bool
    ) -> tuple[list[InPose], Turns]:
        """Return what is found in each pose, upright first, and how the camera hangs; `whole` is the first pass.

        Nothing is spared in a picture that must be lightened: in the dark a ground vouches for less.
        """
        hw, policy, manifest = view.frame_hw, self.policy, self.things.manifest
        shown = lit(view, policy)
        vouched = spared(recent, hw, view.luma.shape, policy) if shown is view else None
        upright = self._searched(shown.bgr, Pose(), most_tiles, vouched, whole)
        wanted = recent.turns.wanted(policy.turned_first, policy.turned_every)
        glimpsed = [self._glimpsed(shown, Pose(turn)) for turn in TURNS if turn in wanted]
        turns = voted(recent.turns, {0: whole} | {one.pose.turns: one.things for one in glimpsed}, manifest)
        turned = [self._turned(shown, one, turns, most_tiles, vouched) for one in glimpsed]
        poses = [upright, *(self._posed(shown, pose, most_tiles, vouched) for pose in proportioned(hw)), *turned]
        if vouched is None or vouched.mean() < policy.sharp_vouched:
            poses.extend(self._sharpened(shown, turns, most_tiles))
        return ([*poses, self._second(shown)] if is_mirrored else poses), turns

    def mirrored(self, view: View) -> InPose:
        """Return what a second look finds, in the mirrored picture: where nothing is held from pictures before."""
        return self._second(lit(view, self.policy))

    def _glimpsed(self, view: View, pose: Pose) -> InPose:
        """Look at the whole of `view` in `pose`, once: enough to tell how a camera hangs."""
        shown = pose.shown(view.bgr)
        hw = shown.shape[0], shown.shape[1]
        return InPose(pose, hw, believable(self.things.find(shown, self.policy.whole_score), hw), Detections.none())

    def _turned(self, view: View, glimpsed: InPose, turns: Turns, most_tiles: int, vouched: Mask | None) -> InPose:
        """Search all of `view` in a turned pose where the camera hangs so, or may; else what was glimpsed must do."""
        hangs_so = glimpsed.pose.turns in {turns.sure, turns.likely if turns.sure is None else None}
        return self._posed(view, glimpsed.pose, most_tiles, vouched, glimpsed.things) if hangs_so else glimpsed

    def _sharpened(self, view: View, turns: Turns, most_tiles: int) -> list[InPose]:
        """Search a picture that the camera's motion blurred once more, sharpened, in the turn the camera hangs in."""
        pose = reduced(turns.sure or 0, view.frame_hw)
        shown = pose.shown(view.bgr)
        blur = blur_of(shown, self.policy)
        return [] if blur is None else [self._searched(sharpened(shown, blur, self.policy), pose, most_tiles, None)]

    def _posed(
        self, view: View, pose: Pose, most_tiles: int, vouched: Mask | None, whole: Detections | None = None
    ) -> InPose:
        """Search `view` in `pose`."""
        return self._searched(pose.shown(view.bgr), pose, most_tiles, vouched, whole)

    def _searched(
        self, shown: Bgr, pose: Pose, most_tiles: int, vouched: Mask | None, whole: Detections | None = None
    ) -> InPose:
        """Search what is `shown` in `pose`: the whole (unless it was seen), and what is not `vouched` for closely."""
        policy = self.policy
        hw = shown.shape[0], shown.shape[1]
        first = believable(self.things.find(shown, policy.whole_score), hw) if whole is None else whole
        near = pose.turned(vouched)
        tiled = believable(in_tiles(self.things, shown, policy, most_tiles, near), hw)
        faces = found_where(lambda part: self.faces.find(part, policy.face_score), shown, near, policy)
        return InPose(pose, hw, Detections.joined([first, tiled]), believable(faces, hw))

    def _second(self, view: View) -> InPose:
        mirrored = np.ascontiguousarray(view.bgr[:, ::-1])
        found = believable(self.things.find(mirrored, self.policy.whole_score), view.frame_hw)
        left, top, right, bottom = found.boxes_xyxy.T
        width = np.float32(view.frame_hw[1])
        boxes = np.stack([width - right, top, width - left, bottom], axis=1)
        back = Detections(boxes, found.scores, found.class_ids)
        return InPose(Pose(), view.frame_hw, back, Detections.none())
