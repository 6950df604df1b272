"""Seals of redacted pictures, and how a reader verifies them."""

from lamplight_kit.seal.verify import BadSeal, KeyRing, SealedPicture, UnknownKey, attested, key_id_of, verify

__all__ = ["BadSeal", "KeyRing", "SealedPicture", "UnknownKey", "attested", "key_id_of", "verify"]
