"""A camera's sampling plan, with what its user left out."""

from __future__ import annotations

from lamplight.camera.v1 import camera_pb2

from lamplight_ingest.sampler import Plan

KEYFRAMES_MIN_GAP_S = 2.0
ALL_MIN_GAP_S = 0.2
MAX_GAP_S = 30.0


def plan_of(sampling: camera_pb2.Sampling) -> Plan:
    """Return the plan in force; a gap of 0 is one that was left out."""
    wants_all = sampling.pictures == camera_pb2.Sampling.PICTURES_ALL
    min_gap_s = sampling.min_gap_s or (ALL_MIN_GAP_S if wants_all else KEYFRAMES_MIN_GAP_S)
    return Plan(wants_all, min_gap_s, max(sampling.max_gap_s or MAX_GAP_S, min_gap_s))


def completed(camera: camera_pb2.Camera) -> camera_pb2.Camera:
    """Return a copy of `camera` that says its whole sampling plan."""
    plan = plan_of(camera.sampling)
    whole = camera_pb2.Camera()
    whole.CopyFrom(camera)
    kind = camera_pb2.Sampling.PICTURES_ALL if plan.wants_all else camera_pb2.Sampling.PICTURES_KEYFRAMES
    whole.sampling.CopyFrom(camera_pb2.Sampling(pictures=kind, min_gap_s=plan.min_gap_s, max_gap_s=plan.max_gap_s))
    return whole
