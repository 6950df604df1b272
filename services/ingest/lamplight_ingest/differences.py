"""What cameras that a caller wants would change of those that are; pure."""

from __future__ import annotations

from lamplight.camera.v1 import camera_pb2

from lamplight_ingest.plan import completed

_OWNERS = frozenset({"id", "version", "last_command_id"})
"""Fields that a caller does not change."""
_FIELDS = tuple(field.name for field in camera_pb2.Camera.DESCRIPTOR.fields if field.name not in _OWNERS)


def difference(before: camera_pb2.Camera | None, wanted: camera_pb2.Camera) -> camera_pb2.CameraChange:
    """Return what `wanted` would change of the camera that is in force, None where there is none."""
    if before is None:
        return camera_pb2.CameraChange(camera_id=wanted.id, kind=camera_pb2.CameraChange.KIND_ADDED)
    after, now = completed(wanted), completed(before)
    fields = [name for name in _FIELDS if not _is_same(now, after, name)]
    kind = camera_pb2.CameraChange.KIND_CHANGED if fields else camera_pb2.CameraChange.KIND_UNCHANGED
    return camera_pb2.CameraChange(camera_id=wanted.id, kind=kind, fields=fields, version=before.version)


def _is_same(before: camera_pb2.Camera, after: camera_pb2.Camera, name: str) -> bool:
    """Compare one field; an absent message is not an empty one."""
    if name == "place" and before.HasField("place") != after.HasField("place"):
        return False
    return bool(getattr(before, name) == getattr(after, name))
