"""What was found in each pose of a picture, and the masks that follow from it in the picture's own pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from lamplight_kit.onnx import Manifest

from lamplight_detect.detections import Boxes, Detections, area
from lamplight_detect.gate.people import people_boxes
from lamplight_detect.gate.plates import bands, vehicles
from lamplight_detect.gate.policy import Policy
from lamplight_detect.gate.poses import Pose, Turns, votes


@dataclass(frozen=True)
class InPose:
    """What was found in one pose, in pixels of the posed picture of `shown_hw`."""

    pose: Pose
    shown_hw: tuple[int, int]
    things: Detections
    faces: Detections

    def people(self, manifest: Manifest, frame_hw: tuple[int, int], turns: Turns, policy: Policy) -> Boxes:
        """Return the boxes [N, 4] masked as people, in pixels of the picture of `frame_hw`."""
        if self.pose.turns not in {0, turns.sure}:
            policy = policy.surer(policy.turned_surer if turns.sure is None else policy.known_surer)
        return self.pose.back(people_boxes(self.things, manifest, self.shown_hw, policy), frame_hw)

    def faces_back(self, frame_hw: tuple[int, int], policy: Policy) -> Boxes:
        """Return the boxes [N, 4] masked as faces, in pixels of the picture of `frame_hw`."""
        share = area(self.faces.boxes_xyxy) / (self.shown_hw[0] * self.shown_hw[1])
        is_large = share >= policy.large_face_share
        sure = self.faces.where(~is_large | (self.faces.scores >= policy.large_face_score))
        return self.pose.back(grown_faces(sure, policy), frame_hw)


def voted(before: Turns, wholes: Mapping[int, Detections], manifest: Manifest) -> Turns:
    """Return how the camera hangs, told by what one more picture showed as a whole in these turns."""
    return before.after({turn: votes(whole, manifest) for turn, whole in wholes.items()})


def plates(
    poses: Sequence[InPose], turns: Turns, manifest: Manifest, frame_hw: tuple[int, int], policy: Policy
) -> Boxes:
    """Return the boxes [N, 4] masked for plates: bands where the turn is sure, else all of each vehicle.

    The bands of the picture as it came are masked in any case.
    """
    sure = turns.sure
    was_turned = any(one.pose.turns for one in poses)
    found = []
    for one in poses:
        if one.pose.turns in {0, sure}:
            found.append(one.pose.back(bands(one.things, manifest, one.shown_hw, policy), frame_hw))
        if sure is None and was_turned:
            whole = vehicles(one.things, manifest, policy)
            is_huge = area(whole.boxes_xyxy) >= policy.large_share * one.shown_hw[0] * one.shown_hw[1]
            needed = np.where(is_huge, policy.turned_huge_vehicle_score, policy.turned_vehicle_score)
            found.append(one.pose.back(whole.where(whole.scores >= needed).boxes_xyxy, frame_hw))
    return np.concatenate(found)


def grown_faces(faces: Detections, policy: Policy) -> Boxes:
    """Return the boxes [N, 4] of `faces` with their margin."""
    sides = faces.boxes_xyxy[:, 2:] - faces.boxes_xyxy[:, :2]
    margin = policy.face_margin * sides
    return np.concatenate([faces.boxes_xyxy[:, :2] - margin, faces.boxes_xyxy[:, 2:] + margin], axis=1)
