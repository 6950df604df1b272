"""The words of ingest: a picture as its source gave it, what a source is, and how it fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from lamplight_kit.errors import Retry

NS_PER_S = 1_000_000_000
STANDS_ALONE = frozenset({"mjpeg", "png", "bmp", "webp", "ffv1", "prores", "dnxhd", "rawvideo"})
"""Codings (FFmpeg's names) whose every picture is a keyframe."""


@dataclass(frozen=True)
class Picture:
    """One encoded picture, as `Frame` of the contracts wants it, with the times that are known of it.

    `data` of H.264 and H.265 is one access unit as Annex B, a key one with its parameter sets; `extradata` is set for
    codings that keep it apart. `before_bytes`, of a key picture, is what came of the video since the key picture
    before, neither counted; None where nobody counts. `source_at_ns` is the time that the source tells (Unix ns), None
    where it tells none. `leads`: shown before the key picture that it follows, and of no use to whoever
    begins there (open GOP).
    """

    codec: str
    data: bytes
    is_key: bool
    received_ns: int
    source_at_ns: int | None = None
    extradata: bytes = b""
    same_as_before: bool = False
    lost_before: bool = False
    rotation_deg: int = 0
    before_bytes: int | None = None
    leads: bool = False


class SourceError(Retry):
    """A source gives no pictures now; the text is for an operator and holds no credentials."""


class SourceAway(SourceError):  # noqa: N818 - named after what is the case
    """The source cannot be reached, fell silent, or broke off."""


class SourceSilent(SourceAway):
    """The source was reached and agreed to send, and then nothing came."""


class SourceRefused(SourceError):  # noqa: N818 - named after what is the case
    """The source, or our own doors, say no: credentials, not found, not allowed, not a source of pictures."""


class Listener(Protocol):
    """Who is told what a live source gives; quick, and called from any thread, one at a time."""

    def opened(self) -> None:
        """The source has answered."""
        ...

    def took(self, picture: Picture) -> None:
        """A picture has come."""
        ...


@runtime_checkable
class LiveSource(Protocol):
    """Where pictures of one camera come from without a thread of their own; one use.

    `transport` says what receives it (`rtsp`, `http-snapshot`, …), `ends` whether its end is its natural end, after
    which asking again is of no use.
    """

    @property
    def transport(self) -> str:
        """What receives it."""
        ...

    @property
    def ends(self) -> bool:
        """Whether its end is its natural end."""
        ...

    async def watch(self, to: Listener) -> None:
        """Reach the source and tell `to` what comes until it ends; let go of it then, and where cancelled.

        Raises `SourceAway` or `SourceRefused`.
        """
        ...


@runtime_checkable
class Hinting(Protocol):
    """A source that knows what comes where no picture does."""

    def hint(self) -> str:
        """Say what came since the last picture that was wanted, and the cure; empty where nothing did."""
        ...


@runtime_checkable
class Resting(Protocol):
    """A source that may be asked by its server to leave it alone for long."""

    @property
    def rest(self) -> str:
        """Why, and until when; the same for as long as that is so. Empty where it was not asked."""
        ...


class Source(Protocol):
    """Where pictures of one camera come from, by waiting for them; one use: open, read, close.

    `transport` says what receives it (`rtsp`, `http-snapshot`, `http-mjpeg`, `http-hls`, `file`, `folder`), `ends`
    whether its end is its natural end, after which asking again is of no use.
    """

    @property
    def transport(self) -> str:
        """What receives it."""
        ...

    @property
    def ends(self) -> bool:
        """Whether its end is its natural end."""
        ...

    def open(self) -> None:
        """Reach the source; blocks for a bounded time. Raises `SourceAway` or `SourceRefused`."""
        ...

    def pictures(self) -> Iterator[Picture]:
        """Yield pictures as they come until the source ends or is closed; blocks for a bounded time between two.

        Raises `SourceAway` or `SourceRefused`.
        """
        ...

    def close(self) -> None:
        """Let go; may be called from another thread, and then ends `pictures` within its bounded time."""
        ...
