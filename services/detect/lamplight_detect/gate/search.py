"""What was found in each pose of a picture, and the masks that follow from it in the picture's own pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from lamplight_kit.onnx import Manifest

from lamplight_detect.detections import Boxes, Detections
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


def voted(before: Turns, turned: Sequence[InPose], manifest: Manifest) -> Turns:
    """Return how the camera hangs, told by one more picture that was searched in these turns."""
    return before.after({one.pose.turns: votes(one.things, manifest) for one in turned})


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
            found.append(one.pose.back(bands(one.things, manifest, policy), frame_hw))
        if sure is None and was_turned:
            whole = vehicles(one.things, manifest, policy).at_least(policy.turned_vehicle_score)
            found.append(one.pose.back(whole.boxes_xyxy, frame_hw))
    return np.concatenate(found)


def grown_faces(faces: Detections, policy: Policy) -> Boxes:
    """Return the boxes [N, 4] of `faces` with their margin."""
    sides = faces.boxes_xyxy[:, 2:] - faces.boxes_xyxy[:, :2]
    margin = policy.face_margin * sides
    return np.concatenate([faces.boxes_xyxy[:, :2] - margin, faces.boxes_xyxy[:, 2:] + margin], axis=1)
