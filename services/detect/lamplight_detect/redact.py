"""Redacting what a user brings: single pictures (uploads, examples of situations, files) and videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from lamplight.frame.v1 import frame_pb2
from lamplight.region.v1 import region_pb2
from numpy.typing import NDArray

from lamplight_detect import faults, regions
from lamplight_detect.background import Scene
from lamplight_detect.change import small_luma
from lamplight_detect.decode import Unreadable, decode_still
from lamplight_detect.detections import Boxes
from lamplight_detect.gate import (
    KINDS,
    Aside,
    Backdrop,
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
from lamplight_detect.gate.plates import sure_for_size, vehicles
from lamplight_detect.gate.video import RedactedVideo
from lamplight_detect.learn import learnt
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
    `filled` counts the holes that show the place without people, `background_share` is the share of the pictures that
    a valid background vouched for.
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
    filled: int = 0
    background_share: float = 0.0


@dataclass(frozen=True)
class SearchedVideo:
    """The masks of all pictures of a video, what may fill them, and whether a valid background vouched for each."""

    asides: list[Aside]
    backdrop: Backdrop | None
    vouched: list[bool]


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
    is_spared: bool = False
    """Whether a video is searched closely only where something has come, as a live camera's is: to measure that."""

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
            result, sha256, last = self._video(path, beside, with_boxes=with_boxes, progress=progress)
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
        self, path: Path, beside: Path, *, with_boxes: bool, progress: Progress
    ) -> tuple[RedactResult, bytes, RedactedPicture]:
        """Search the whole video first, then read it again and write it: what its masks show was learnt from all."""
        searched = self.searched(self.open_video(path), progress)
        video = self.open_video(path)
        share, filled = 0.0, 0
        masks = dict.fromkeys(KINDS, 0)
        boxes: list[MaskBox] = []
        picture: RedactedPicture | None = None
        with RedactedVideo(beside, video.rate) as writer:
            for frame, (shown, aside) in enumerate(zip(video.pictures(), searched.asides, strict=True)):
                picture = self.gate.show(aside, shown.bgr, searched.backdrop)
                writer.add(picture, shown.at_s)
                masks = {kind: count + picture.masks[kind] for kind, count in masks.items()}
                share, filled = share + picture.masked_share, filled + picture.filled_holes
                boxes.extend(mask_boxes(picture, frame) if with_boxes else ())
            if picture is None:
                message = "no picture that can be decoded found, at least one expected"
                raise Unreadable(message)
            sha256 = writer.finish()
        frames = len(searched.asides)
        result = RedactResult(
            b"",
            "",
            picture.frame_hw,
            picture.leaving_hw,
            frames,
            video.damaged,
            masks,
            share / frames,
            tuple(boxes),
            filled,
            sum(searched.vouched) / frames,
        )
        return result, sha256, picture

    def searched(self, video: Video, progress: Progress) -> SearchedVideo:
        """Return the masks of each picture, under those of the one before and the next, and what may fill them.

        GateClosed where any of its pictures is refused.
        """
        recent, scene = Recent(), Scene(ripe_min=0, learn_gap_s=0)
        waiting: tuple[Searched, Recent] | None = None
        asides: list[Aside] = []
        vouched: list[bool] = []
        for shown in video.pictures():
            view = View(shown.bgr, small_luma(shown.bgr), round(shown.at_s * NS_PER_S))
            seen = scene.seen(view)
            before = replace(recent, unexplained=seen.unexplained, vouched=seen.vouched, is_spared=self.is_spared)
            searched = self.gate.search(view, self.gate.look(view), before)
            if waiting is not None:
                asides.append(self.gate.set_aside(*waiting, searched.sample))
            waiting = searched, before
            recent = before.with_sample(searched.sample, self.gate.policy)
            sure, faint = self._vehicles(searched)
            scene, _ = learnt(self.gate, seen.scene, view, searched.sample, sure)
            scene = scene.against_filling(faint, view)
            vouched.append(scene.is_valid)
            progress(len(asides) + 1, video.expected)
        if waiting is not None:
            asides.append(self.gate.set_aside(*waiting))
        return SearchedVideo(asides, scene.backdrop(), vouched)

    def _vehicles(self, searched: Searched) -> tuple[Boxes, Boxes]:
        """Return the vehicles [N, 4] of a picture that are sure enough for a band, and those that are not.

        The ground is not learnt where a sure one is, and does not fill where a faint one is found often.
        """
        policy = self.gate.policy
        found = vehicles(searched.found, self.gate.things.manifest, policy)
        sure = sure_for_size(found, searched.view.frame_hw, policy)
        return found.boxes_xyxy[sure], found.boxes_xyxy[~sure]

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
