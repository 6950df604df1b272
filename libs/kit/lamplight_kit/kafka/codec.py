"""Between protobuf messages and what lies on a topic: bytes, and headers that name type and major version."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.wrappers_pb2 import BytesValue
from kafka.partitioner.default import murmur2

from lamplight_kit.errors import LamplightError, Refuse
from lamplight_kit.kafka.types import HEADER_MAJOR, HEADER_TYPE, MAJOR, Outgoing, Record

_MAJOR_HEADER = (HEADER_MAJOR, MAJOR.encode())
_CLOUD_EVENTS = "application/cloudevents+json"


class UnknownMajorError(LamplightError):
    """A message of another major version: its partition waits for a release that knows it."""


class UndecodableError(Refuse):
    """A message of an unknown type or of another topic's, or bytes that are no such message: a dead letter."""


class Wire(NamedTuple):
    """What a producer is given; `topic` is still the logical name."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def encode(outgoing: Outgoing) -> Wire:
    """Serialise `outgoing`; a proto message gets the headers `type` and `major`."""
    message = outgoing.message
    headers = [(name, text.encode()) for name, text in outgoing.headers.items()] if outgoing.headers else []
    key = outgoing.key.encode() or None
    if message is None or isinstance(message, bytes):
        return Wire(outgoing.topic, outgoing.partition, key, message, headers)
    headers += _type_headers(message.DESCRIPTOR.full_name)
    return Wire(outgoing.topic, outgoing.partition, key, message.SerializeToString(), headers)


def decode(raw: Any, topic: str, kind: str = "") -> Record:
    """Read one consumed record (kafka-python's ConsumerRecord) of the logical `topic`.

    A value without a type, or a CloudEvent by its `content-type`, comes as a `BytesValue`. With `kind` (a full name,
    of `topics.kinds_of`) every other message is undecodable, these too: what readers are given is what they expect.
    Raises `UnknownMajorError`, `UndecodableError`.
    """
    headers = {name: _text(value) for name, value in raw.headers}
    key = _text(raw.key) if raw.key else ""
    try:
        message = None if raw.value is None else _message(raw.value, headers)
        if kind and message is not None and message.DESCRIPTOR.full_name != kind:
            _foreign(headers, kind)
    except (UnknownMajorError, UndecodableError) as error:
        text = f"{topic}[{raw.partition}]@{raw.offset}: {error}"
        raise type(error)(text) from error
    # As `Record(…)` does, without its seven checks for being frozen: 2 µs of the 50 that a message costs.
    record = object.__new__(Record)
    record.__dict__.update(
        topic=topic,
        partition=raw.partition,
        offset=raw.offset,
        key=key,
        message=message,
        timestamp_ms=raw.timestamp,
        headers=headers,
    )
    return record


def _foreign(headers: dict[str, str], kind: str) -> NoReturn:
    text = f"type {headers.get(HEADER_TYPE)!r} found, {kind} expected on this topic; its writer has the wrong topic"
    raise UndecodableError(text)


def partition_for(key: str, partitions: int) -> int:
    """Return the partition that `key` lies on among `partitions`: murmur2, as Java's client does."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def _message(value: bytes, headers: dict[str, str]) -> Message:
    name = headers.get(HEADER_TYPE)
    if name is None:
        return BytesValue(value=value)
    if headers.get(HEADER_MAJOR) != MAJOR:
        major = headers.get(HEADER_MAJOR)
        text = f"major {major!r} of {name} found, {MAJOR} expected; roll out the release that writes it"
        raise UnknownMajorError(text)
    if headers.get("content-type", "").startswith(_CLOUD_EVENTS):
        return BytesValue(value=value)
    kind = message_class(name)
    if kind is None:
        text = f"type {name!r} found, a message of the contracts expected; its writer is not of this system"
        raise UndecodableError(text)
    try:
        return kind.FromString(value)
    except DecodeError as error:
        text = f"{len(value)} bytes that are no {name}; its writer is broken"
        raise UndecodableError(text) from error


@lru_cache(maxsize=256)
def message_class(name: str) -> type[Message] | None:
    """Return the class of the message with this full name, or None; `lamplight.x.v1.Y` is imported when needed."""
    package = name.rpartition(".")[0].split(".")
    if package[0] == "lamplight" and len(package) == 3:
        try:
            importlib.import_module(f"{'.'.join(package)}.{package[1]}_pb2")
        except ModuleNotFoundError:
            return None
    try:
        return GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))
    except KeyError:
        return None


@lru_cache(maxsize=256)
def _type_headers(name: str) -> tuple[tuple[str, bytes], ...]:
    return ((HEADER_TYPE, name.encode()), (HEADER_MAJOR, MAJOR.encode()))


@lru_cache(maxsize=4096)
def _text(value: bytes) -> str:
    return value.decode(errors="replace")
