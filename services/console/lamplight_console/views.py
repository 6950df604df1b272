"""What REST answers, made of messages: plain dictionaries, and GeoJSON (RFC 7946) for places. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from lamplight.camera.v1 import camera_pb2

_NS = 1_000_000_000
_STATE_PREFIX = "STATE_"


def plain(message: Message) -> dict[str, Any]:
    """Return a message by its proto names, its enums as the words that users write: OVER_THING is `thing`."""
    return _in_words(MessageToDict(message, preserving_proto_field_name=True), cast("Descriptor", message.DESCRIPTOR))


def _in_words(shown: Mapping[str, Any], kind: Descriptor) -> dict[str, Any]:
    return {name: _field_in_words(value, kind.fields_by_name[name]) for name, value in shown.items()}


def _field_in_words(value: Any, field: FieldDescriptor) -> Any:
    if isinstance(value, list):
        return [_field_in_words(each, field) for each in value]
    if field.enum_type is not None and isinstance(value, str):
        # By the style of protobuf the first value is `<PREFIX>_UNSPECIFIED`.
        prefix = field.enum_type.values[0].name.removesuffix("UNSPECIFIED")
        return value.removeprefix(prefix).lower().replace("_", "-")
    kind = field.message_type
    if kind is None or kind.GetOptions().map_entry or not isinstance(value, dict):
        return value
    return _in_words(value, kind)


def camera_view(camera: camera_pb2.Camera, state: camera_pb2.CameraState | None) -> dict[str, Any]:
    """Return a camera with its state; a camera that no worker has spoken of yet is `connecting`."""
    shown = plain(camera)
    shown.pop("credentials_secret", None)
    return {**shown, "state": _state_view(state)}


def _state_view(state: camera_pb2.CameraState | None) -> dict[str, Any]:
    if state is None:
        return {"state": "connecting", "reason": "no worker has taken it yet", "since": None}
    return {
        "state": camera_pb2.CameraState.State.Name(state.state).removeprefix(_STATE_PREFIX).lower(),
        "reason": state.reason,
        "since": rfc3339(state.since_ns),
        "transport": state.transport,
        "frames_sent": state.frames_sent,
        "frames_dropped": state.frames_dropped,
    }


def geojson(cameras: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the cameras whose place is known as a GeoJSON FeatureCollection."""
    features = [
        {
            "type": "Feature",
            "id": camera["id"],
            "geometry": {"type": "Point", "coordinates": [camera["place"]["lon"], camera["place"]["lat"]]},
            "properties": {name: camera.get(name) for name in ("name", "district", "labels", "purpose", "state")},
        }
        for camera in cameras
        if "place" in camera
    ]
    return {"type": "FeatureCollection", "features": features}


def rfc3339(at_ns: int) -> str:
    """Return Unix nanoseconds as RFC 3339 in UTC, milliseconds kept."""
    return datetime.fromtimestamp(at_ns / _NS, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
