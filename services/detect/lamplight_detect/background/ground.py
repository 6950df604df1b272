"""The ground: what a place looks like with nobody in it, a grey copy to compare with and a picture to fill from.

A pixel is learnt only while nothing stands before it. It is ripe once it was sighted 20 times over 30 minutes, and may
fill while it was sighted at least twice as often as somebody was found there. A ripe pixel follows what is as good as
alike alone: what shows something else there for half an hour is the ground by then, who stands there for a minute is
not. For W x H pixels (at most MOST_PX) and the grey copy of w x h, a ground costs 3 W H + 12 w h bytes: 1.4 MB at
640x360.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lamplight_detect.background.tints import Tints
from lamplight_detect.change import SPARSE, Luma
from lamplight_detect.gate import Backdrop
from lamplight_detect.gate.motion import Mask

NS_PER_MIN = 60_000_000_000
STEP = 18
"""Grey levels by which something differs that stands before the ground; the same as of what moves."""
VOUCHED_STEP = 8
"""Levels of grey, and of either colour, within which a pixel shows nothing but the ground: above a codec's noise."""
DARK_STEP = 3
VOUCHED_SHARE = 10
"""In the dark less: a tenth of the grey level of the ground, down to DARK_STEP; all is less apart there."""
SIGHTINGS = 20
RIPE_MIN = 30
KNOWN = 5
"""From so many sightings on a pixel can tell what stands before it, though it may not fill yet."""
OFTEN = 2
VALID_SHARE = 0.9
MOST_PX = 1280 * 720
FOLLOW = 0.125
_MOST_MIN = 60_000
_FULL = 255


@dataclass(frozen=True)
class Ground:
    """What is learnt in one light: all arrays [h, w] of the small copy, but `colour` [H, W, 3].

    `first_min` is when a pixel was first sighted, in minutes after `began_ns`; `found` is how often somebody was found
    there, beside the `count` of sightings. `strange_min` is since when a ripe pixel shows what is near the ground and
    not it, `doubt_min` when somebody was found where it vouched that nobody has come, both as `first_min` and 0 where
    that is not so. `learnt_min` is when it last learnt: times go on only while a pixel is seen.
    """

    began_ns: int
    grey: Luma
    count: NDArray[np.uint8]
    found: NDArray[np.uint8]
    first_min: NDArray[np.uint16]
    ripe: Mask
    strange_min: NDArray[np.uint16]
    doubt_min: NDArray[np.uint16]
    colour: NDArray[np.uint8]
    ripe_min: int = RIPE_MIN
    learnt_min: int = 0
    tints: Tints = field(default_factory=Tints, repr=False, compare=False)

    @classmethod
    def empty(cls, luma: Luma, frame_hw: tuple[int, int], at_ns: int, ripe_min: int = RIPE_MIN) -> Ground:
        """Return a ground of which nothing is known; its pixels ripen over `ripe_min` minutes."""
        none = np.zeros(luma.shape, np.uint8)
        colour = np.zeros((*colour_hw(frame_hw), 3), np.uint8)
        never, unripe = none.astype(np.uint16), none.astype(np.bool_)
        return cls(at_ns, luma.copy(), none, none, never, unripe, never, never, colour, ripe_min)

    @property
    def valid_share(self) -> float:
        """Share of the picture that is ripe."""
        return float(self.ripe.mean())

    @property
    def is_valid(self) -> bool:
        """Whether it vouches for the scene."""
        return self.valid_share >= VALID_SHARE

    @property
    def known(self) -> Mask:
        """Which pixels were sighted often enough to tell what stands before them."""
        known: Mask = self.count >= KNOWN
        return known

    @property
    def may_fill(self) -> Mask:
        """Which pixels may fill: ripe, not in doubt, not strange, and not where somebody was found as often as not."""
        is_sure = (self.doubt_min == 0) & (self.strange_min == 0)
        may: Mask = self.ripe & is_sure & (self.count >= OFTEN * self.found.astype(np.int16))
        return may

    def backdrop(self, frame_hw: tuple[int, int]) -> Backdrop | None:
        """Return what a picture of `frame_hw` may be filled from; None while the ground is not valid."""
        if not self.is_valid:
            return None
        size = frame_hw[1], frame_hw[0]
        sure = cv2.erode(self.may_fill.astype(np.uint8), np.ones((3, 3), np.uint8))
        may = cv2.resize(sure, size, interpolation=cv2.INTER_NEAREST).astype(np.bool_)
        bgr = self.colour
        if bgr.shape[:2] != frame_hw:
            bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
        return Backdrop(bgr, may)

    def compared(self, bgr: NDArray[np.uint8], luma: Luma) -> tuple[Mask, Mask]:
        """Return which pixels of `luma` show something before the ground, and which the ground vouches for.

        `bgr` is the picture that `luma` is of: who is as bright as the ground may be of another colour. A common
        change of light is set aside. Single pixels that differ are a codec's or a sensor's.
        """
        known = self.known
        off = np.abs(self.delta(luma, known))
        doubted = ~self.ripe | (self.doubt_min > 0) | (off > self._steps())
        if self.is_valid:
            doubted |= self._tinge(bgr, known) > VOUCHED_STEP
        opened = cv2.morphologyEx(doubted.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        return known & (off > STEP), opened == 0

    def _steps(self) -> NDArray[np.uint8]:
        """Return the grey levels within which each pixel shows nothing but the ground."""
        return np.clip(self.grey // VOUCHED_SHARE, DARK_STEP, VOUCHED_STEP)

    def _tinge(self, bgr: NDArray[np.uint8], where: Mask) -> NDArray[np.int16]:
        """Return by how much each pixel of the small copy is of another colour, beyond what those `where` share."""
        shape, most = self.grey.shape, np.zeros(self.grey.shape, np.int16)
        sparse = where[::SPARSE, ::SPARSE]
        for now, ground in zip(
            self.tints.of("now", bgr, shape), self.tints.of("ground", self.colour, shape), strict=True
        ):
            delta = now.astype(np.int16) - ground
            common = np.int16(np.median(delta[::SPARSE, ::SPARSE][sparse])) if sparse.any() else np.int16(0)
            most = np.maximum(most, np.abs(delta - common))
        return most

    def learnt(self, bgr: NDArray[np.uint8], luma: Luma, free: Mask, at_ns: int) -> Ground:
        """Return it with one more picture, of which the pixels `free` show nothing but the ground."""
        ground = self.rebased(at_ns).unseen(~free, at_ns)
        now_min = ground.minutes(at_ns)
        by = np.abs(ground.delta(luma, free & (ground.count > 0)))
        off = by > STEP
        near, strange_min = ground.strange(bgr, free & ~off, by, now_min)
        agrees = free & ~off & ~near & (ground.count > 0)
        worn = free & off & (ground.count > 1)
        fresh = free & ~agrees & ~worn & ~near
        count = ground.count + agrees.astype(np.uint8) - worn.astype(np.uint8)
        count[fresh] = 1
        nearer = np.sign(luma.astype(np.int16) - ground.grey).astype(np.int16)
        grey = np.where(fresh, luma, np.where(agrees, ground.grey + nearer, ground.grey)).astype(np.uint8)
        first = np.where(fresh, now_min, ground.first_min).astype(np.uint16)
        ripe = (count >= SIGHTINGS) & (int(now_min) - first.astype(np.int32) >= ground.ripe_min)
        colour = _coloured(ground.colour, bgr, agrees, fresh)
        is_over = ground.is_ripe_age(now_min.astype(np.int32) - ground.doubt_min)
        return replace(
            ground,
            grey=grey,
            first_min=first,
            ripe=ripe,
            strange_min=strange_min,
            doubt_min=np.where(is_over, 0, ground.doubt_min).astype(np.uint16),
            colour=colour,
            learnt_min=int(now_min),
        ).tallied(count, ground.found if ground.ripe_min else ground.found + near.astype(np.uint8))

    def unseen(self, hidden: Mask, at_ns: int) -> Ground:
        """Return it with the times of pixels set on by what passed unseen since it last learnt.

        That is all of it for those that are `hidden`, and what is more than a minute for all: in another light, or
        with no pictures, nothing was seen.
        """
        now_min = self.minutes(at_ns)
        passed = int(now_min) - self.learnt_min
        by = np.where(hidden, max(passed, 0), max(passed - 1, 0)).astype(np.uint16)
        if not by.any():
            return self
        first, strange, doubt = (
            np.minimum(since.astype(np.int32) + by, int(now_min)).astype(np.uint16)
            for since in (self.first_min, self.strange_min, self.doubt_min)
        )
        return replace(
            self,
            first_min=first,
            strange_min=np.where(self.strange_min > 0, strange, 0).astype(np.uint16),
            doubt_min=np.where(self.doubt_min > 0, doubt, 0).astype(np.uint16),
        )

    def strange(
        self, bgr: NDArray[np.uint8], seen: Mask, by: NDArray[np.int16], now_min: np.uint16
    ) -> tuple[Mask, NDArray[np.uint16]]:
        """Return which of the known pixels `seen` show what is near the ground and not it, and since when each does.

        The ground does not follow these, or else who stands there would be it within a minute. One that was so is so
        until it is half as near: a sensor's noise brings each of them near at times, and each time by a level nearer.
        What has been so for as long as a pixel takes to ripen is the ground, and none of them any more; `by` is how
        far each is off.
        """
        known = seen & self.known
        if not known.any():
            return known, self.strange_min
        tinge, halves = self._tinge(bgr, seen), np.where(self.strange_min > 0, 2, 1).astype(np.uint8)
        differs = known & ((by > self._steps() // halves) | (tinge > VOUCHED_STEP // halves))
        since = np.where(differs & (self.strange_min == 0), np.maximum(now_min, 1), self.strange_min)
        since = np.where(known & ~differs, 0, since).astype(np.uint16)
        return differs & ~self.is_ripe_age(now_min.astype(np.int32) - since), since

    def is_ripe_age(self, minutes: NDArray[np.int32]) -> Mask:
        """Return which of the `minutes` [h, w] are as long as a pixel takes to ripen: none in a file, a whole."""
        is_old: Mask = (minutes >= self.ripe_min) & (self.ripe_min > 0)
        return is_old

    def with_people(self, people: Mask) -> Ground:
        """Return it with `people` found in one more picture: there it may not fill while they are found so often."""
        return self.tallied(self.count, self.found + people.astype(np.uint8))

    def replaced(self, bgr: NDArray[np.uint8], luma: Luma, where: Mask, at_ns: int) -> Ground:
        """Return it with what stands at `where` taken for ground to compare with: it fills once it has ripened."""
        ground = self.rebased(at_ns)
        count = np.where(where, KNOWN, ground.count).astype(np.uint8)
        first = np.where(where, ground.minutes(at_ns), ground.first_min).astype(np.uint16)
        grey = np.where(where, luma, ground.grey).astype(np.uint8)
        colour = _coloured(ground.colour, bgr, np.zeros_like(where), where)
        strange = np.where(where, 0, ground.strange_min).astype(np.uint16)
        ripe = ground.ripe & ~where
        return replace(ground, grey=grey, count=count, first_min=first, ripe=ripe, strange_min=strange, colour=colour)

    def doubted(self, where: Mask, at_ns: int) -> Ground:
        """Return it with the pixels `where` in doubt: somebody may have been learnt there.

        For as long as a pixel takes to ripen they neither vouch nor fill. They stay ripe: what differs from them is
        unexplained as before, and a ground that is valid stays so.
        """
        ground = self.rebased(at_ns)
        since = np.where(where, np.maximum(ground.minutes(at_ns), 1), ground.doubt_min).astype(np.uint16)
        return replace(ground, doubt_min=since)

    def tallied(self, count: NDArray[np.uint8], found: NDArray[np.uint8]) -> Ground:
        """Return it with new tallies, both halved where one of them is full: what counts is how they compare."""
        full = (count == _FULL) | (found == _FULL)
        return replace(self, count=np.where(full, count // 2, count), found=np.where(full, found // 2, found))

    def minutes(self, at_ns: int) -> np.uint16:
        """Return `at_ns` as `first_min` holds it."""
        return np.uint16(max(0, (at_ns - self.began_ns) // NS_PER_MIN))

    def delta(self, luma: Luma, where: Mask) -> NDArray[np.int16]:
        """Return by how much `luma` differs, beyond what the pixels `where` have in common."""
        delta = luma.astype(np.int16) - self.grey
        common = np.int16(np.median(delta[where])) if where.any() else np.int16(0)
        return delta - common

    def rebased(self, at_ns: int) -> Ground:
        """Return it with times that fit; what is older than a month and a half is as good as that old."""
        over = (at_ns - self.began_ns) // NS_PER_MIN - _MOST_MIN
        if over <= 0:
            return self
        first = np.maximum(self.first_min.astype(np.int64) - over, 0).astype(np.uint16)
        strange, doubt = (
            np.where(since, np.maximum(since.astype(np.int64) - over, 1), 0).astype(np.uint16)
            for since in (self.strange_min, self.doubt_min)
        )
        began_ns = self.began_ns + over * NS_PER_MIN
        last = max(self.learnt_min - int(over), 0)
        return replace(self, began_ns=began_ns, first_min=first, strange_min=strange, doubt_min=doubt, learnt_min=last)


def colour_hw(frame_hw: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of the picture to fill from: the frame's own, or less where it is very large."""
    scale = min(1.0, (MOST_PX / (frame_hw[0] * frame_hw[1])) ** 0.5)
    return max(1, round(frame_hw[0] * scale)), max(1, round(frame_hw[1] * scale))


def _coloured(colour: NDArray[np.uint8], bgr: NDArray[np.uint8], agrees: Mask, fresh: Mask) -> NDArray[np.uint8]:
    """Return `colour` moved towards `bgr` where it agrees, and taken from it where it is fresh."""
    size = colour.shape[1], colour.shape[0]
    shown = bgr if bgr.shape == colour.shape else cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
    after = colour.copy()
    for where, now in ((agrees, cv2.addWeighted(colour, 1 - FOLLOW, shown, FOLLOW, 0)), (fresh, shown)):
        if where.any():
            cv2.copyTo(now, cv2.resize(where.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), after)
    return after
