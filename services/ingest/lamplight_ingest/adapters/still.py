"""One JPEG or PNG on a disk: read whole, bounded, told by its first bytes, never decoded."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from lamplight_ingest import bitstream
from lamplight_ingest.adapters.disk import open_file
from lamplight_ingest.doors import Doors
from lamplight_ingest.model import SourceAway, SourceRefused
from lamplight_ingest.scrub import scrub

_HEAD = 16


def still_of(file: BinaryIO, name: str, max_bytes: int) -> tuple[str, bytes] | None:
    """Return coding (FFmpeg's name) and bytes of an open file, None where it is neither JPEG nor PNG.

    Raises `SourceRefused` for what is too large; leaves a file that is no picture at its start.
    """
    try:
        head = file.read(_HEAD)
        codec = bitstream.still_codec(head)
        if codec is None:
            file.seek(0)
            return None
        data = head + file.read(max_bytes + 1 - len(head))
    except OSError as error:
        text = scrub(
            f"{name}: {error.strerror or type(error).__name__} found, a readable file expected; "
            "mend the path, or its rights"
        )
        raise SourceAway(text) from None
    if len(data) > max_bytes:
        text = f"{name}: more than {max_bytes} bytes found; at most that many expected; shrink the picture"
        raise SourceRefused(text)
    return codec, data


def read_still(path: Path, doors: Doors, max_bytes: int) -> tuple[str, bytes]:
    """Return coding and bytes; raises `SourceRefused` for what is no JPEG or PNG, too large, or behind closed doors."""
    with open_file(path, doors) as file:
        found = still_of(file, path.name, max_bytes)
    if found is None:
        text = f"{path.name}: neither JPEG nor PNG found, one of them expected; convert it"
        raise SourceRefused(text)
    return found
