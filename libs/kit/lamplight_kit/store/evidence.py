"""The evidence store: sealed pictures by key, in a folder or in S3, by one library (obstore)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from lamplight_kit.clock import NS_PER_S
from lamplight_kit.errors import Retry, SettingsError
from lamplight_kit.seal import KeyRing, SealedPicture, verify

_NO_SCHEME = "evidence store {url!r} found, file:///folder or s3://bucket/prefix expected; set LAMPLIGHT_STORE_URL"


def picture_key(namespace: str, retention_days: int, camera_id: str, at_ns: int, jpeg: bytes) -> str:
    """Return where a sealed picture belongs: `<namespace>/<retention>d/<camera>/<yyyy-mm-dd>/<sha256>.jpg`.

    The day is that of `at_ns` in UTC; an upload has no camera and stands under `uploads`.
    """
    day = datetime.fromtimestamp(at_ns / NS_PER_S, tz=UTC).date().isoformat()
    name = hashlib.sha256(jpeg).hexdigest()
    return f"{namespace}/{retention_days}d/{camera_id or 'uploads'}/{day}/{name}.jpg"


class EvidenceStore:
    """Pictures that the gate made; what is put is only ever read back through its seal."""

    def __init__(self, url: str) -> None:
        """Open `file:///folder` (made where it is not there) or `s3://bucket/prefix`; `SettingsError` otherwise."""
        parts = urlsplit(url)
        if parts.scheme == "file":
            folder = Path(unquote(parts.path))
            folder.mkdir(parents=True, exist_ok=True)
            self._store: ObjectStore = LocalStore(prefix=folder, mkdir=True)
        elif parts.scheme == "s3":
            self._store = from_url(url)
        else:
            raise SettingsError(_NO_SCHEME.format(url=url))

    def put(self, key: str, sealed_jpeg: bytes) -> None:
        """Write a sealed picture; putting the same again is harmless. Raises `Retry` while the store is away."""
        try:
            obstore.put(self._store, key, sealed_jpeg)
        except (BaseError, OSError) as error:
            message = f"picture {key} could not be stored ({type(error).__name__}); tried again by itself"
            raise Retry(message) from error

    def get(self, key: str) -> bytes:
        """Return the bytes at `key`; KeyError where nothing is there, `Retry` while the store is away."""
        try:
            return bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError:
            raise KeyError(key) from None
        except (BaseError, OSError) as error:
            message = f"picture {key} could not be read ({type(error).__name__}); tried again by itself"
            raise Retry(message) from error

    def get_sealed(self, key: str, keys: KeyRing) -> SealedPicture:
        """Return the picture at `key` once its seal holds; KeyError, `Retry` or `BadSeal` otherwise."""
        return verify(self.get(key), keys)
