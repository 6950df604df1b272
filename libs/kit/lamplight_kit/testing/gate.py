"""A gate for tests: it seals as detect's does, whatever picture a test gives it."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lamplight.key.v1 import key_pb2
from lamplight.seal.v1 import seal_pb2

from lamplight_kit.seal import KeyRing, key_id_of, segments


class FakeGate:
    """One signing key, and what is sealed with it; `key` is its public half."""

    def __init__(self, replica: str = "detect-0") -> None:
        """Make a key of its own."""
        self._private = Ed25519PrivateKey.generate()
        public = self._private.public_key().public_bytes_raw()
        self.key = key_pb2.SigningKey(key_id=key_id_of(public), replica=replica, public_key=public)

    def ring(self) -> KeyRing:
        """Return a ring that holds this gate's key."""
        ring = KeyRing()
        ring.add(self.key)
        return ring

    def seal(self, jpeg: bytes, attestation: seal_pb2.Attestation) -> bytes:
        """Return `jpeg` sealed with `attestation`, into which its digest is written."""
        attestation.picture_sha256 = segments.digest(jpeg)
        signed = attestation.SerializeToString()
        seal = seal_pb2.Seal(attestation=signed, key_id=self.key.key_id, signature=self._private.sign(signed))
        return segments.insert(jpeg, seal.SerializeToString())
