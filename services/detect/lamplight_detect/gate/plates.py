"""Plates: no packaged detector of plates is usable, so each vehicle wears one solid band where a plate can be."""

from __future__ import annotations

import numpy as np
from lamplight_kit.onnx import Kind, Manifest
from numpy.typing import NDArray

from lamplight_detect.detections import Boxes, Detections, area
from lamplight_detect.gate.policy import Policy

WITHOUT_PLATE = frozenset({"bicycle"})
"""Only these wear no plate: a lorry passes for a train, a boat or an airplane."""


def vehicles(found: Detections, manifest: Manifest, policy: Policy) -> Detections:
    """Return the vehicles that may be one: from a low score on."""
    return found.of(manifest.indices(Kind.VEHICLE)).at_least(policy.vehicle_score)


def bands(found: Detections, manifest: Manifest, frame_hw: tuple[int, int], policy: Policy) -> Boxes:
    """Return a band [N, 4] for each vehicle that may carry a plate, from 35 % to 105 % of its box's height.

    The larger, the surer it must be: houses and whole streets pass faintly for buses and airplanes.
    """
    plated = [index for index in manifest.indices(Kind.VEHICLE) if manifest.classes[index].name not in WITHOUT_PLATE]
    seen = vehicles(found, manifest, policy).of(plated)
    return bands_of(seen.where(sure_for_size(seen, frame_hw, policy)).boxes_xyxy, policy)


def sure_for_size(found: Detections, frame_hw: tuple[int, int], policy: Policy) -> NDArray[np.bool_]:
    """Return which [N] of the vehicles are sure enough for their size in a picture of `frame_hw`."""
    share = area(found.boxes_xyxy) / (frame_hw[0] * frame_hw[1])
    needed = np.select(
        [share < policy.small_share, share < policy.medium_share, share < policy.large_share],
        [policy.vehicle_score, policy.medium_vehicle_score, policy.large_vehicle_score],
        policy.huge_vehicle_score,
    )
    sure: NDArray[np.bool_] = found.scores >= needed
    return sure


def bands_of(boxes_xyxy: Boxes, policy: Policy) -> Boxes:
    """Return the band of each box [N, 4]."""
    left, top, right, bottom = boxes_xyxy.T
    height = bottom - top
    return np.stack([left, top + policy.band_from * height, right, top + policy.band_to * height], axis=1).astype(
        np.float32
    )
