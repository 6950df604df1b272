"""Opening files of sources: what is read is the very file that was found below the allowed folders."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from lamplight_ingest.doors import Doors
from lamplight_ingest.model import SourceAway, SourceRefused
from lamplight_ingest.scrub import scrub


def open_file(path: Path, doors: Doors) -> BinaryIO:
    """Open an ordinary file below the roots of `doors`; raises `SourceRefused` or `SourceAway` with what was found.

    A link may be turned between looking and opening: so the open file is looked at, and must be one that a path below
    the roots, links followed, leads to.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not hang us
        file = os.fdopen(descriptor, "rb")
        opened, found = os.fstat(descriptor), path.resolve(strict=True).stat()
    except OSError as error:
        text = scrub(
            f"{path.name}: {error.strerror or type(error).__name__} found, a readable file expected; "
            "mend the path, or its rights"
        )
        raise SourceAway(text) from None
    closed = doors.why_path_closed(path.resolve())
    if closed is None and not stat.S_ISREG(opened.st_mode):
        closed = "no ordinary file found, a video or a picture expected"
    if closed is None and not os.path.samestat(opened, found):
        closed = "a file that changes places found, one that stays expected"
    if closed is not None:
        file.close()
        text = f"{path.name}: {closed}"
        raise SourceRefused(text)
    return file
