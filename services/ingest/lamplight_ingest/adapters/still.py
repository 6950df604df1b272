"""One JPEG or PNG on a disk: read whole, bounded, told by its first bytes, never decoded."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lamplight_ingest import bitstream
from lamplight_ingest.model import SourceAway, SourceRefused
from lamplight_ingest.scrub import scrub

_HEAD = 16


def head_of(path: Path) -> bytes:
    """Return the first bytes of an ordinary file; raises `SourceRefused` or `SourceAway` with what was found."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not hang us
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                text = f"{path.name}: no ordinary file found, a video or a picture expected"
                raise SourceRefused(text)
            return file.read(_HEAD)
    except OSError as error:
        text = scrub(f"{path.name}: {error.strerror or type(error).__name__} found, a readable file expected")
        raise SourceAway(text) from None


def read_still(path: Path, max_bytes: int) -> tuple[str, bytes]:
    """Return coding (FFmpeg's name) and bytes; raises `SourceRefused` for what is no JPEG or PNG, or too large."""
    codec = bitstream.still_codec(head_of(path))
    if codec is None:
        text = f"{path.name}: neither JPEG nor PNG found, one of them expected; convert it"
        raise SourceRefused(text)
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        text = scrub(f"{path.name}: {error.strerror or type(error).__name__} found, a readable file expected")
        raise SourceAway(text) from None
    if len(data) > max_bytes:
        text = f"{path.name}: more than {max_bytes} bytes found; at most that many expected; shrink the picture"
        raise SourceRefused(text)
    return codec, data
