"""A folder of pictures, played once in the order of their names."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from lamplight_ingest.adapters.pace import Pace
from lamplight_ingest.adapters.still import read_still
from lamplight_ingest.doors import Doors
from lamplight_ingest.model import Picture, SourceAway, SourceError, SourceRefused

MAX_FILES = 100_000
_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
_NS_PER_S = 1_000_000_000


class FolderSource:
    """Plays the JPEG and PNG files of one folder.

    Their times are the files' own where each is at least a second after the one before it; else they are a second
    apart, since then the files' times tell of a copy, not of a camera. What is no picture is passed over, and told at
    the end if nothing else was there.
    """

    transport = "folder"
    ends = True

    def __init__(self, path: Path, pace: Pace, doors: Doors, *, max_bytes: int) -> None:
        """Prepare; nothing is opened until `open`. Each picture, links followed, lies below the roots of `doors`."""
        self._doors = doors
        self._path = path
        self._pace = pace
        self._max_bytes = max_bytes
        self._closed = threading.Event()
        self._files: Sequence[Path] = ()
        self._own_s: Sequence[float] = ()

    def open(self) -> None:
        """List the pictures."""
        try:
            found = sorted(path for path in self._path.iterdir() if path.suffix.lower() in _SUFFIXES)
            times_ns = [path.stat().st_mtime_ns for path in found[:MAX_FILES]]
        except OSError as error:
            text = f"folder {self._path.name}: {error.strerror} found, a readable folder expected; mend the path"
            raise SourceAway(text) from None
        if not found or len(found) > MAX_FILES:
            text = f"folder {self._path.name}: {len(found)} .jpg, .jpeg or .png files found, 1 to {MAX_FILES} expected"
            raise SourceRefused(text)
        self._files, self._own_s = found, own_times_s(times_ns)

    def pictures(self) -> Iterator[Picture]:
        """Yield the pictures by name; a broken file marks the next one as coming after a loss."""
        self._pace.start()
        lost, given, last_error = False, 0, ""
        for path, own_s in zip(self._files, self._own_s, strict=True):
            received_ns, at_ns = self._pace.at_ns(own_s, self._closed)
            if self._closed.is_set():
                return
            try:
                codec, data = read_still(path, self._doors, self._max_bytes)
            except SourceError as error:
                lost, last_error = True, str(error)
                continue
            yield Picture(codec, data, is_key=True, received_ns=received_ns, source_at_ns=at_ns, lost_before=lost)
            lost, given = False, given + 1
        if not given:
            raise SourceRefused(last_error)

    def close(self) -> None:
        """End with the next picture."""
        self._closed.set()


def own_times_s(times_ns: Sequence[int]) -> Sequence[float]:
    """Return each picture's seconds after the first, by the files' times or, where those tell nothing, by number."""
    if all(later - earlier >= _NS_PER_S for earlier, later in pairwise(times_ns)):
        return [(at - times_ns[0]) / _NS_PER_S for at in times_ns]
    return [float(index) for index in range(len(times_ns))]
