"""Walk every message's descriptor: privacy marks, raw pixels, opaque types, identity."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from lamplight.options.v1 import options_pb2

PROTO = Path(__file__).parents[2] / "proto"
RAW_FIELDS = {"lamplight.frame.v1.Frame.data", "lamplight.frame.v1.Frame.extradata"}
FRAME_HOLDERS = {"lamplight.frame.v1.StreamFramesRequest", "lamplight.frame.v1.RedactStillRequest"}
OPAQUE = {"google.protobuf.Any", "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.BytesValue"}
IDENTITY = (
    "face", "person_id", "people", "plate", "gait", "gender", "sex", "race", "ethnic", "age", "emotion", "track",
    "identity", "biometric", "watchlist", "watch_list", "suspect", "licence", "license", "clothing", "wears", "carries",
    "colour", "color", "skin", "hair", "owner", "driver",
)  # fmt: skip


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
    holders = {
        field.containing_type.full_name
        for field in FIELDS
        if field.message_type is not None and field.message_type.full_name == "lamplight.frame.v1.Frame"
    }
    assert holders == FRAME_HOLDERS


def test_no_field_is_opaque() -> None:
    """No Any, no Struct: what a message can hold is all written down."""
    found = [field.full_name for field in FIELDS if field.message_type and field.message_type.full_name in OPAQUE]
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
        if field.type == FieldDescriptor.TYPE_BYTES and _privacy(field) == "PRIVACY_NONE"
    }
    assert plain == allowed


@pytest.mark.parametrize("word", IDENTITY)
def test_no_field_is_for_an_identity(word: str) -> None:
    """No field's name holds a word that would tell one person or vehicle from another."""
    parts = [(field.full_name, f"_{field.name}_") for field in FIELDS]
    assert [name for name, text in parts if f"_{word}_" in text] == []


def test_enums_and_packages_are_versioned() -> None:
    """Every package ends in its major version and matches its folder."""
    for file in _files():
        assert file.package.endswith(".v1")
        assert file.name.startswith(file.package.replace(".", "/"))
