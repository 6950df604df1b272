"""Redacting what a user brings: single pictures (uploads, examples of situations, files) and videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from lamplight.frame.v1 import frame_pb2
from lamplight.region.v1 import region_pb2
from numpy.typing import NDArray

from lamplight_detect import faults, regions
from lamplight_detect.change import small_luma
from lamplight_detect.decode import Unreadable, decode_still
from lamplight_detect.gate import (
    KINDS,
    Gate,
    GateClosed,
    Recent,
    RedactedPicture,
    Released,
    Sealer,
    Searched,
    Source,
    View,
)
from lamplight_detect.gate.plates import vehicles
from lamplight_detect.gate.video import RedactedVideo
from lamplight_detect.places import Box

NS_PER_S = 1_000_000_000
_WHERE = "while redacting"
Progress = Callable[[int, int], None]
"""Told of the pictures done, and how many are expected (0: not known)."""


@dataclass(frozen=True)
class MaskBox:
    """One mask of one picture (`frame` counts from 0), for benches on the same machine only."""

    frame: int
    kind: str
    box_xyxy: Box


@dataclass(frozen=True)
class RedactResult:
    """What became of a picture or a video: `picture` is the sealed JPEG, empty where refused or for a video.

    `frame_hw` is the size of what came, in which boxes are; what left is of `leaving_hw`.
    """

    picture: bytes = b""
    refused: str = ""
    frame_hw: tuple[int, int] = (0, 0)
    leaving_hw: tuple[int, int] = (0, 0)
    frames: int = 0
    damaged: int = 0
    masks: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    masked_share: float = 0.0
    boxes: tuple[MaskBox, ...] = ()


class Shown(Protocol):
    """A decoded picture [H, W, 3] of a video, `at_s` after its start."""

    @property
    def bgr(self) -> NDArray[np.uint8]:
        """The picture."""
        ...

    @property
    def at_s(self) -> float:
        """When it is shown."""
        ...


class Video(Protocol):
    """A video to redact (`lamplight_detect.adapters.video_file.VideoFile`)."""

    rate: Fraction
    damaged: int
    expected: int

    def pictures(self) -> Iterable[Shown]:
        """Yield its pictures in the order in which they are shown."""
        ...


@dataclass(frozen=True)
class Redactor:
    """The gate for pictures and videos that come from no camera."""

    gate: Gate
    sealer: Sealer
    open_video: Callable[[Path], Video]

    def redact_picture(self, data: bytes, at_ns: int = 0, *, with_boxes: bool = False) -> RedactResult:
        """Return `data` (a JPEG or PNG) redacted and sealed, or why there is none."""
        try:
            released = self._release(data, at_ns)
            sealed = self.sealer.sealed(released.picture, Source("", at_ns))
        except (Unreadable, GateClosed) as error:
            return RedactResult(refused=str(error))
        except Exception as error:  # noqa: BLE001 - memory, a runtime, a disk: whatever it was, nothing leaves
            return RedactResult(refused=faults.named(error, _WHERE))
        picture = released.picture
        boxes = tuple(mask_boxes(picture, 0)) if with_boxes else ()
        return RedactResult(
            sealed, "", picture.frame_hw, picture.leaving_hw, 1, 0, picture.masks, picture.masked_share, boxes
        )

    def example(
        self, data: bytes, at_ns: int, enrolment: frame_pb2.Enrolment, key_of: Callable[[bytes], str]
    ) -> tuple[RedactResult, region_pb2.Region | None]:
        """Return an example of a situation redacted, and the region to be embedded; `key_of` names where it is kept."""
        try:
            released = self._release(data, at_ns)
            source = Source("", at_ns)
            sealed = self.sealer.sealed(released.picture, source)
            found = vehicles(released.found, self.gate.things.manifest, self.gate.policy).boxes_xyxy
            shot = regions.Shot(released.picture, found, source, 0, 0, key_of(sealed))
            region = regions.scene(shot, self.sealer, enrolment)
        except (Unreadable, GateClosed) as error:
            return RedactResult(refused=str(error)), None
        except Exception as error:  # noqa: BLE001 - as above
            return RedactResult(refused=faults.named(error, _WHERE)), None
        picture = released.picture
        result = RedactResult(
            sealed, "", picture.frame_hw, picture.leaving_hw, 1, 0, picture.masks, picture.masked_share
        )
        return result, region

    def redact_video(
        self, path: Path, out: Path, *, with_boxes: bool = False, progress: Progress = lambda _frames, _expected: None
    ) -> RedactResult:
        """Write the video at `path` redacted to `out` (MP4, no sound), its seal beside it as `<out>.seal`.

        Where any of its pictures is refused, or a fault or the user ends it, nothing is left; pictures that no decoder
        can read are left out and counted.
        """
        beside, seal_beside = (out.with_name(f".{out.name}{kind}") for kind in (".part", ".seal.part"))
        try:
            video = self.open_video(path)
            result, sha256, last = self._video(video, beside, with_boxes=with_boxes, progress=progress)
            seal_beside.write_bytes(self.sealer.seal(last, Source("", 0), sha256))
            seal_beside.replace(out.with_name(f"{out.name}.seal"))
            beside.replace(out)  # last: no video is ever there without its seal
        except (Unreadable, GateClosed) as error:
            return RedactResult(refused=str(error))
        except Exception as error:  # noqa: BLE001 - as above
            return RedactResult(refused=faults.named(error, _WHERE))
        finally:
            for part in (beside, seal_beside):
                part.unlink(missing_ok=True)
        return result

    def _video(
        self, video: Video, beside: Path, *, with_boxes: bool, progress: Progress
    ) -> tuple[RedactResult, bytes, RedactedPicture]:
        frames, share = 0, 0.0
        masks = dict.fromkeys(KINDS, 0)
        boxes: list[MaskBox] = []
        picture: RedactedPicture | None = None
        with RedactedVideo(beside, video.rate) as writer:
            for picture, at_s in self._released(video):
                writer.add(picture, at_s)
                masks = {kind: count + picture.masks[kind] for kind, count in masks.items()}
                share += picture.masked_share
                boxes.extend(mask_boxes(picture, frames) if with_boxes else ())
                frames += 1
                progress(frames, video.expected)
            if picture is None:
                message = "no picture that can be decoded found, at least one expected"
                raise Unreadable(message)
            sha256 = writer.finish()
        sizes = picture.frame_hw, picture.leaving_hw
        result = RedactResult(b"", "", *sizes, frames, video.damaged, masks, share / frames, tuple(boxes))
        return result, sha256, picture

    def _released(self, video: Video) -> Iterator[tuple[RedactedPicture, float]]:
        """Yield the video's pictures and their times, each under the next one's masks too."""
        recent = Recent()
        waiting: tuple[Searched, Recent, float] | None = None
        for shown in video.pictures():
            view = View(shown.bgr, small_luma(shown.bgr), round(shown.at_s * NS_PER_S))
            searched = self.gate.search(view, self.gate.look(view), recent)
            if waiting is not None:
                yield self.gate.finish(waiting[0], waiting[1], searched.sample).picture, waiting[2]
            waiting = searched, recent, shown.at_s
            recent = recent.with_sample(searched.sample, self.gate.policy)
        if waiting is not None:
            yield self.gate.finish(waiting[0], waiting[1]).picture, waiting[2]

    def _release(self, data: bytes, at_ns: int) -> Released:
        bgr = decode_still(data)
        view = View(bgr, small_luma(bgr), at_ns)
        return self.gate.release_still(view, self.gate.look(view))


def mask_boxes(picture: RedactedPicture, frame: int) -> Iterable[MaskBox]:
    """Yield the boxes of a picture's masks."""
    for kind, boxes in picture.boxes.items():
        for box in boxes:
            left, top, right, bottom = (float(side) for side in box)
            yield MaskBox(frame, kind, (left, top, right, bottom))
