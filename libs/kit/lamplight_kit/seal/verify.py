"""Verifying: the only way to hold a `SealedPicture`."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import InitVar, dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.message import DecodeError, Message
from lamplight.key.v1 import key_pb2
from lamplight.seal.v1 import seal_pb2

from lamplight_kit.errors import Refuse
from lamplight_kit.seal import segments

_DOOR = object()


class BadSeal(Refuse):
    """A picture has no seal, one that does not hold, or one by a key that nobody published."""


class UnknownKey(BadSeal):
    """A picture's seal is by a key that this process does not know, perhaps not yet."""

    def __init__(self, key_id: str) -> None:
        """Name the key, so that a reader can wait for it."""
        super().__init__(
            f"a seal by key {key_id!r} found, one published on the topic `keys` expected; is detect running?"
        )
        self.key_id = key_id


@dataclass(frozen=True)
class SealedPicture:
    """A redacted picture whose seal holds: `jpeg` as it was read (seal included), and what the gate attests of it."""

    jpeg: bytes
    attestation: seal_pb2.Attestation
    key_id: str
    door: InitVar[object]

    def __post_init__(self, door: object) -> None:
        """Refuse to be made by anything but `verify`."""
        if door is not _DOOR:
            message = "a SealedPicture made by hand found; only lamplight_kit.seal.verify makes one"
            raise TypeError(message)


class KeyRing:
    """The public keys that gates have published, by key id; may be fed and read from several threads."""

    def __init__(self) -> None:
        """Start with no key: every picture is refused."""
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._lock = threading.Lock()

    def add(self, key: key_pb2.SigningKey) -> None:
        """Take a replica's key and its earlier ones; a key whose id is not its digest raises `BadSeal`."""
        for one in (key, *key.earlier):
            expected = key_id_of(one.public_key)
            if one.key_id != expected:
                message = f"key id {one.key_id!r} of replica {one.replica!r} found, {expected} expected; drop this key"
                raise BadSeal(message)
            with self._lock:
                self._keys[one.key_id] = Ed25519PublicKey.from_public_bytes(one.public_key)

    def find(self, key_id: str) -> Ed25519PublicKey:
        """Return the key called `key_id`; `UnknownKey` where nobody published it."""
        with self._lock:
            found = self._keys.get(key_id)
        if found is None:
            raise UnknownKey(key_id)
        return found


def key_id_of(public_key: bytes) -> str:
    """Return a key's id: the first 16 hexadecimal digits of the sha256 of its 32 bytes."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def verify(jpeg: bytes, keys: KeyRing) -> SealedPicture:
    """Return the picture as a sealed one; `BadSeal` says what does not hold."""
    try:
        payload, bare = segments.extract(jpeg)
    except ValueError as error:
        raise BadSeal(str(error)) from error
    attestation, key_id = attested(payload, keys)
    if segments.digest(bare) != attestation.picture_sha256:
        message = "a picture that differs from what was sealed found; it was changed after the gate"
        raise BadSeal(message)
    return SealedPicture(jpeg, attestation, key_id, _DOOR)


def attested(payload: bytes, keys: KeyRing) -> tuple[seal_pb2.Attestation, str]:
    """Return what a serialised Seal attests, and by which key; `BadSeal` where it does not hold.

    Whether it is the seal of a certain file is its reader's to check, by `picture_sha256`.
    """
    try:
        seal = seal_pb2.Seal.FromString(payload)
        attestation = seal_pb2.Attestation.FromString(seal.attestation)
        _check_bare(seal, payload)
        _check_bare(attestation, seal.attestation)
    except DecodeError as error:
        message = f"{len(payload)} bytes that are no seal found, one of detect's expected"
        raise BadSeal(message) from error
    try:
        keys.find(seal.key_id).verify(seal.signature, seal.attestation)
    except InvalidSignature:
        message = f"a signature by key {seal.key_id} that does not hold found; the attestation was changed"
        raise BadSeal(message) from None
    return attestation, seal.key_id


def _check_bare(message: Message, content: bytes) -> None:
    """Refuse what a reader of `message` would not see: unknown fields, or known ones written twice."""
    known = type(message)()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    if known.SerializeToString(deterministic=True) != content:
        text = (
            f"{len(content)} bytes of {message.DESCRIPTOR.name} with more than its fields found, these alone expected"
        )
        raise BadSeal(text)
