"""A picture is read through its seal or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lamplight.key.v1 import key_pb2
from lamplight.seal.v1 import seal_pb2
from lamplight_kit.errors import SettingsError
from lamplight_kit.seal import BadSeal, KeyRing, SealedPicture, key_id_of, segments, verify
from lamplight_kit.store import EvidenceStore, picture_key

JPEG = b"\xff\xd8\xff\xdb\x00\x04ab\xff\xd9"


@pytest.fixture
def private() -> Ed25519PrivateKey:
    """A gate's private key."""
    return Ed25519PrivateKey.generate()


@pytest.fixture
def keys(private: Ed25519PrivateKey) -> KeyRing:
    """A ring that holds that gate's public half."""
    ring = KeyRing()
    public = private.public_key().public_bytes_raw()
    ring.add(key_pb2.SigningKey(key_id=key_id_of(public), replica="detect-0", public_key=public))
    return ring


def sealed(private: Ed25519PrivateKey, jpeg: bytes = JPEG) -> bytes:
    """Seal `jpeg` as a gate does."""
    attestation = seal_pb2.Attestation(camera_id="a", picture_sha256=segments.digest(jpeg)).SerializeToString()
    key_id = key_id_of(private.public_key().public_bytes_raw())
    seal = seal_pb2.Seal(attestation=attestation, key_id=key_id, signature=private.sign(attestation))
    return segments.insert(jpeg, seal.SerializeToString())


def test_a_seal_that_holds(private: Ed25519PrivateKey, keys: KeyRing) -> None:
    """A sealed picture verifies, and is the same bytes."""
    picture = verify(sealed(private), keys)
    assert picture.attestation.camera_id == "a"
    assert picture.jpeg == sealed(private)


def test_every_changed_byte_is_seen(private: Ed25519PrivateKey, keys: KeyRing) -> None:
    """No byte of a sealed picture can be changed without the seal breaking."""
    whole = sealed(private)
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 0x01
        with pytest.raises(BadSeal):
            verify(bytes(changed), keys)


def test_what_follows_the_picture_is_sealed_too(private: Ed25519PrivateKey, keys: KeyRing) -> None:
    """Nothing can be appended."""
    with pytest.raises(BadSeal, match="changed after the gate"):
        verify(sealed(private) + b"x", keys)


def test_an_unknown_key_is_refused(private: Ed25519PrivateKey) -> None:
    """A seal by a key that nobody published is none."""
    with pytest.raises(BadSeal, match="published"):
        verify(sealed(private), KeyRing())


@pytest.mark.parametrize("picture", [JPEG, b"", b"\xff\xd8", b"\xff\xd8\xff\xeb\xff\xffLAMPLIGHT\x00"])
def test_no_seal(picture: bytes, keys: KeyRing) -> None:
    """A picture without a whole seal is refused."""
    with pytest.raises(BadSeal):
        verify(picture, keys)


def test_a_sealed_picture_is_not_made_by_hand() -> None:
    """Only verify makes one."""
    with pytest.raises(TypeError, match="verify"):
        SealedPicture(JPEG, seal_pb2.Attestation(), "k", object())


def test_a_false_key_id_is_refused(private: Ed25519PrivateKey) -> None:
    """A key that calls itself by another's id never enters the ring."""
    public = private.public_key().public_bytes_raw()
    with pytest.raises(BadSeal, match="expected"):
        KeyRing().add(key_pb2.SigningKey(key_id="0" * 16, replica="x", public_key=public))


def test_the_store_gives_back_sealed_pictures(tmp_path: Path, private: Ed25519PrivateKey, keys: KeyRing) -> None:
    """What was put comes back through its seal; what was changed on disk does not."""
    store = EvidenceStore(f"file://{tmp_path}/evidence with space")
    whole = sealed(private)
    key = picture_key("city", 7, "canal-12", 1_700_000_000_000_000_000, whole)
    assert key.startswith("city/7d/canal-12/2023-11-14/")
    store.put(key, whole)
    store.put(key, whole)
    assert store.get_sealed(key, keys).jpeg == whole
    store.put(key, JPEG)
    with pytest.raises(BadSeal):
        store.get_sealed(key, keys)


def test_an_absent_picture_is_a_key_error(tmp_path: Path) -> None:
    """Nothing there is said as such."""
    with pytest.raises(KeyError):
        EvidenceStore(f"file://{tmp_path}").get("city/7d/a/2023-11-14/0.jpg")


def test_an_unknown_store_is_refused() -> None:
    """The URL's scheme says what it must be."""
    with pytest.raises(SettingsError, match="s3://"):
        EvidenceStore("/var/pictures")
