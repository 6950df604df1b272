"""What detect's tests share: a key, and a whole detect on fakes; they may import from each other."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lamplight_detect.adapters.key_file import SigningKey
from lamplight_detect.testing import Room, room_of
from lamplight_models import manifest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def signing_key() -> SigningKey:
    """A key that is always the same."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), 1)


@pytest.fixture
def room(signing_key: SigningKey) -> Room:
    """Detect on finders that see nothing yet."""
    return room_of(manifest("nanodet"), manifest("centerface"), signing_key)
