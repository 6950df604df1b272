"""Walk every message's descriptor: privacy marks, raw pixels, opaque types, identity."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from lamplight.options.v1 import options_pb2

PROTO = Path(__file__).parents[2] / "proto"
RAW_FIELDS = {"lamplight.frame.v1.Frame.data", "lamplight.frame.v1.Frame.extradata"}
FRAME_HOLDERS = {"lamplight.frame.v1.StreamFramesRequest", "lamplight.frame.v1.RedactStillRequest"}
OPAQUE = {
    f"google.protobuf.{name}"
    for name in ("Any", "Struct", "Value", "ListValue", "BytesValue", "StringValue", "FieldMask")
}
# As a whole word of a field's name, in the singular or the plural, or run together with `id`.
IDENTITY = (
    "face", "person", "people", "plate", "gait", "gender", "sex", "race", "ethnic", "ethnicity", "age", "emotion",
    "track", "trajectory", "identity", "biometric", "watchlist", "suspect", "licence", "license", "registration", "vrm",
    "vin", "reid", "clothing", "clothes", "garment", "wears", "worn", "carries", "carried", "colour", "color", "skin",
    "hair", "owner", "driver", "rider", "pedestrian", "passenger", "name_of", "fingerprint", "iris", "voice",
)  # fmt: skip
WORDS = re.compile(rf"(?:^|_)(?:{'|'.join(IDENTITY)})(?:e?s|_?ids?)?(?:_|$)|watch_list")


def _files() -> list[FileDescriptor]:
    names = sorted(path.relative_to(PROTO).with_suffix("") for path in PROTO.rglob("*.proto"))
    return [importlib.import_module(".".join(name.parts) + "_pb2").DESCRIPTOR for name in names]


def _messages(holder: FileDescriptor | Descriptor) -> Iterator[Descriptor]:
    found = holder.message_types_by_name if isinstance(holder, FileDescriptor) else holder.nested_types_by_name
    for message in found.values():
        if not message.GetOptions().map_entry:
            yield message
            yield from _messages(message)


MESSAGES = [message for file in _files() for message in _messages(file)]
FIELDS = [field for message in MESSAGES for field in message.fields]
METHODS = [method for file in _files() for service in file.services_by_name.values() for method in service.methods]


def _held(field: FieldDescriptor) -> FieldDescriptor:
    """Return what a field holds: of a map, its value."""
    inner = field.message_type
    return inner.fields_by_name["value"] if inner is not None and inner.GetOptions().map_entry else field


def _reaches_a_frame(message: Descriptor, seen: frozenset[str] = frozenset()) -> bool:
    """Tell whether a message is a Frame, or holds one at any depth."""
    if message.full_name == "lamplight.frame.v1.Frame":
        return True
    inner = [_held(field).message_type for field in message.fields]
    deeper = seen | {message.full_name}
    return any(_reaches_a_frame(one, deeper) for one in inner if one is not None and one.full_name not in seen)


def _privacy(field: FieldDescriptor) -> str:
    number = field.GetOptions().Extensions[options_pb2.privacy]
    return options_pb2.Privacy.Name(number)


def test_there_are_messages() -> None:
    """The walk finds the messages, so that the tests below can fail."""
    assert len(MESSAGES) > 60
    assert len(FIELDS) > 250


def test_every_field_says_how_private_it_is() -> None:
    """No field is without a privacy mark."""
    assert [field.full_name for field in FIELDS if _privacy(field) == "PRIVACY_UNSPECIFIED"] == []


def test_raw_pixels_are_in_frames_only() -> None:
    """Only a Frame's data may be raw."""
    assert {field.full_name for field in FIELDS if _privacy(field) == "PRIVACY_RAW"} == RAW_FIELDS


def test_frames_are_taken_by_two_calls_only() -> None:
    """A Frame is a field of the two requests, and of nothing else."""
    assert {message.full_name for message in MESSAGES if _reaches_a_frame(message)} == FRAME_HOLDERS | {
        "lamplight.frame.v1.Frame"
    }
    taken = {method.full_name for method in METHODS if _reaches_a_frame(method.input_type)}
    assert taken == {"lamplight.frame.v1.FrameService.StreamFrames", "lamplight.frame.v1.FrameService.RedactStill"}
    assert [method.full_name for method in METHODS if _reaches_a_frame(method.output_type)] == []


def test_no_field_is_opaque() -> None:
    """No Any, no Struct: what a message can hold is all written down."""
    inner = [(field.full_name, _held(field).message_type) for field in FIELDS]
    found = [name for name, message in inner if message is not None and message.full_name in OPAQUE]
    assert found == []


def test_bytes_are_never_unmarked_pictures() -> None:
    """Every bytes field is a marked picture, a vector, a key, a seal or a digest."""
    allowed = {
        "lamplight.key.v1.SigningKey.public_key",
        "lamplight.seal.v1.Attestation.mask_grid",
        "lamplight.seal.v1.Attestation.picture_sha256",
        "lamplight.seal.v1.Seal.attestation",
        "lamplight.seal.v1.Seal.signature",
        "lamplight.audit.v1.AuditRecord.previous_sha256",
    }
    plain = {
        field.full_name
        for field in FIELDS
        if _held(field).type == FieldDescriptor.TYPE_BYTES and _privacy(field) == "PRIVACY_NONE"
    }
    assert plain == allowed


def test_no_field_is_for_an_identity() -> None:
    """No field's name holds a word that would tell one person or vehicle from another, or describe one."""
    assert [field.full_name for field in FIELDS if WORDS.search(field.name)] == []


@pytest.mark.parametrize(
    "name",
    ["face_id", "faces", "number_plate_text", "plates", "tracks", "trackid", "person_ids", "reid", "vrm", "age_years",
     "watch_list", "hair_colour", "worn_bag"],
)  # fmt: skip
def test_such_a_name_is_found(name: str) -> None:
    """The search above finds what it is for."""
    assert WORDS.search(name)


def test_enums_and_packages_are_versioned() -> None:
    """Every package ends in its major version and matches its folder."""
    for file in _files():
        assert file.package.endswith(".v1")
        assert file.name.startswith(file.package.replace(".", "/"))
