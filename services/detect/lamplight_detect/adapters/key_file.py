"""The signing key: an Ed25519 key in a file that its owner alone may read; made where there is none."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lamplight.key.v1 import key_pb2
from lamplight_kit.errors import SettingsError
from lamplight_kit.seal import key_id_of

FILE = "signing-key.json"


class SigningKey:
    """The private half; a `Signer`."""

    def __init__(self, private: Ed25519PrivateKey, made_ns: int) -> None:
        """Hold `private`, made at `made_ns`."""
        self._private, self._made_ns = private, made_ns
        self._public = private.public_key().public_bytes_raw()
        self.key_id = key_id_of(self._public)

    @classmethod
    def made(cls, made_ns: int) -> SigningKey:
        """Return a new key, kept nowhere."""
        return cls(Ed25519PrivateKey.generate(), made_ns)

    @classmethod
    def kept(cls, folder: Path, now_ns: int) -> SigningKey:
        """Return the key kept in `folder`, made and written there (mode 600) where there is none."""
        path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if path.exists():
                return cls._read(path)
            key = cls.made(now_ns)
            _write(path, key.content())
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"{path}: {type(error).__name__} found, a key of 32 bytes expected; mend it or move it away"
            raise SettingsError(message) from None
        return key

    def sign(self, content: bytes) -> bytes:
        """Return the Ed25519 signature of `content`."""
        return self._private.sign(content)

    def public(self, replica: str) -> key_pb2.SigningKey:
        """Return the public half as the topic `keys` holds it."""
        return key_pb2.SigningKey(key_id=self.key_id, replica=replica, public_key=self._public, made_ns=self._made_ns)

    @classmethod
    def _read(cls, path: Path) -> SigningKey:
        content = json.loads(path.read_text(encoding="ascii"))
        return cls(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(content["private"])), int(content["made_ns"]))

    def content(self) -> str:
        """Return what the key's file holds."""
        return json.dumps({"private": self._private.private_bytes_raw().hex(), "made_ns": self._made_ns})


def _write(path: Path, content: str) -> None:
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
