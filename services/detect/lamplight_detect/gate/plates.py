"""Plates: no packaged detector of plates is usable, so each vehicle wears one solid band where a plate can be."""

from __future__ import annotations

import numpy as np
from lamplight_kit.onnx import Kind, Manifest

from lamplight_detect.detections import Boxes, Detections
from lamplight_detect.gate.policy import Policy

WITHOUT_PLATE = frozenset({"bicycle"})
"""Only these wear no plate: a lorry passes for a train, a boat or an airplane."""


def vehicles(found: Detections, manifest: Manifest, policy: Policy) -> Detections:
    """Return the vehicles that may be one: from a low score on."""
    return found.of(manifest.indices(Kind.VEHICLE)).at_least(policy.vehicle_score)


def bands(found: Detections, manifest: Manifest, policy: Policy) -> Boxes:
    """Return a band [N, 4] for each vehicle that may carry a plate, from 35 % to 105 % of its box's height."""
    plated = [index for index in manifest.indices(Kind.VEHICLE) if manifest.classes[index].name not in WITHOUT_PLATE]
    return bands_of(vehicles(found, manifest, policy).of(plated).boxes_xyxy, policy)


def bands_of(boxes_xyxy: Boxes, policy: Policy) -> Boxes:
    """Return the band of each box [N, 4]."""
    left, top, right, bottom = boxes_xyxy.T
    height = bottom - top
    return np.stack([left, top + policy.band_from * height, right, top + policy.band_to * height], axis=1).astype(
        np.float32
    )
