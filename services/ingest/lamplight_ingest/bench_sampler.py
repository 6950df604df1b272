"""`lamplight bench sampler`: pictures that activity spares, and changes that it misses or that are seen late.

A drawn place (texture, sensor noise, light that drifts) is encoded by x264 twice, at constant quality and at strictly
constant bitrate, with a keyframe every two seconds. Things cross it or stand in it at known times, more and fewer of
them by turns. The sampler gets the bytes between keyframes, and for each picture that it sends the verdict of somebody
who knows what is there: whether it has changed since the one sent before. Beside it stands the plan alone.
"""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from lamplight_ingest.model import NS_PER_S
from lamplight_ingest.sampler import Choice, Plan, Sampler

SECONDS = 2400
PLAN = Plan(wants_all=False, min_gap_s=2.0, max_gap_s=30.0)
YOUNG_S = 10.0
"""Detect wants the plan's rate while something that stands is younger than this."""
_FPS, _KEY_EVERY_S = 5, 2
_HW = 144, 256
_THING_HW = 24, 36
_BITS_A_S = 200_000
_NOISE = 1.5
_CONSTANT_QUALITY = "qp=30:aq-mode=0"
_CONSTANT_RATE = f"bitrate={_BITS_A_S // 1000}:vbv-maxrate={_BITS_A_S // 1000}:vbv-bufsize=100:nal-hrd=cbr"
_X264 = f"keyint={_FPS * _KEY_EVERY_S}:min-keyint={_FPS * _KEY_EVERY_S}:scenecut=0:bframes=0:threads=1:force-cfr=1"


@dataclass(frozen=True)
class Event:
    """Something from `start_s` to `end_s` in row `y`: it crosses, or, where `stands`, comes, stays and goes."""

    start_s: float
    end_s: float
    y: int
    stands: bool

    def at(self, now_s: float) -> tuple[int, int] | None:
        """Return where it is (x, y), None where it is not."""
        if not self.start_s <= now_s < self.end_s:
            return None
        width = _HW[1] - _THING_HW[1]
        share = 0.4 if self.stands else (now_s - self.start_s) / (self.end_s - self.start_s)
        return int(width * share), self.y


def events(seconds: float, seed: int = 3) -> list[Event]:
    """Return what happens: about one thing in 40 s in busy spells of five minutes, one in 150 s in quiet ones."""
    rng, found, now_s = random.Random(seed), [], 15.0  # noqa: S311 - the same place every time
    while now_s < seconds - 60:
        stands = rng.random() < 0.3
        lasts_s = rng.uniform(20, 60) if stands else rng.uniform(4, 14)
        found.append(Event(now_s, now_s + lasts_s, rng.randrange(10, _HW[0] - 10 - _THING_HW[0]), stands))
        is_busy = int(now_s // 300) % 2 == 0
        now_s += lasts_s + rng.expovariate(1 / (12 if is_busy else 60))
    return found


@dataclass(frozen=True)
class Key:
    """One keyframe: when, what came between it and the one before, and what there is to see."""

    at_s: float
    between_bytes: int
    sight: tuple[tuple[int, int], ...]


def encoded(happening: Sequence[Event], seconds: int, rate: str) -> Iterator[Key]:
    """Yield the keyframes of the place, encoded as `rate` says."""
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)  # noqa: S101 - libx264 is video
    context.height, context.width = _HW
    context.pix_fmt = "yuv420p"
    context.framerate, context.time_base = Fraction(_FPS), Fraction(1, _FPS)
    context.options = {"preset": "veryfast", "tune": "zerolatency", "x264-params": f"{_X264}:{rate}"}
    between = 0
    for index, (frame, sight) in enumerate(_drawn(happening, seconds)):
        for packet in context.encode(frame):
            if packet.is_keyframe:
                yield Key(index / _FPS, between, sight)
                between = 0
            else:
                between += packet.size


def _drawn(happening: Sequence[Event], seconds: int) -> Iterator[tuple[av.VideoFrame, tuple[tuple[int, int], ...]]]:
    rng = np.random.default_rng(1)
    height, width = _HW
    coarse = rng.integers(40, 200, (height // 8, width // 8)).astype(np.float32)
    ground = np.kron(coarse, np.ones((8, 8), np.float32))
    noises = rng.normal(0, _NOISE, (32, height, width)).astype(np.float32)
    things = rng.integers(10, 245, (8, *_THING_HW)).astype(np.float32)  # limbs and wheels: it changes as it moves
    grey = np.full((height // 2, width // 2), 128, np.uint8)
    for index in range(seconds * _FPS):
        now_s = index / _FPS
        light = 1 + 0.15 * np.sin(now_s / 600)
        picture = ground * light + noises[rng.integers(len(noises))]
        seen = {place: not event.stands for event in happening if (place := event.at(now_s)) is not None}
        for (x, y), is_moving in seen.items():
            picture[y : y + _THING_HW[0], x : x + _THING_HW[1]] = things[index % len(things) if is_moving else 0]
        yield _frame(picture, grey), tuple(seen)


def _frame(picture: NDArray[np.float32], grey: NDArray[np.uint8]) -> av.VideoFrame:
    luma = np.clip(picture, 0, 255).astype(np.uint8)
    planar = np.concatenate((luma.reshape(-1), grey.reshape(-1), grey.reshape(-1)))
    return av.VideoFrame.from_ndarray(planar.reshape(-1, luma.shape[1]), format="yuv420p")


@dataclass(frozen=True)
class Outcome:
    """How a sampler did: pictures sent, and for each event after how many seconds it was first seen (None: never)."""

    sent: int
    seen_after_s: tuple[float | None, ...]


def sampled(keys: Sequence[Key], happening: Sequence[Event], *, by_activity: bool) -> Outcome:
    """Run the sampler over `keys`; each picture that it sends is judged before the next one comes."""
    sampler, sent, before = Sampler(PLAN), [], None
    stands_since_s: dict[tuple[int, int], float] = {}
    for key in keys:
        between = key.between_bytes if by_activity else None
        choice, sampler = sampler.choose(
            round(key.at_s * NS_PER_S), is_key=True, stands_alone=False, between_bytes=between
        )
        if choice is not Choice.EXAMINE:
            continue
        sent.append(key)
        if before is not None:
            sampler = sampler.judged(sampler.examined_level, is_changed=key.sight != before.sight)
        before = key
        stands_since_s = {place: stands_since_s.get(place, key.at_s) for place in key.sight}
        young = any(key.at_s - since_s < YOUNG_S for since_s in stands_since_s.values())
        sampler = sampler.wanting(PLAN.min_gap_s if young else 0.0)
    return Outcome(len(sent), tuple(_seen_after_s(event, sent) for event in happening))


def _seen_after_s(event: Event, sent: Sequence[Key]) -> float | None:
    return next((key.at_s - event.start_s for key in sent if event.start_s <= key.at_s < event.end_s), None)


def run(seconds: int = SECONDS) -> dict[str, object]:
    """Return the bench as `lamplight bench` prints it."""
    happening = events(seconds)
    measures: list[dict[str, object]] = [_measure("things that happen", len(happening), "events")]
    for name, rate in (("constant quality", _CONSTANT_QUALITY), ("constant bitrate", _CONSTANT_RATE)):
        keys = list(encoded(happening, seconds, rate))
        plan, ours = (sampled(keys, happening, by_activity=by_activity) for by_activity in (False, True))
        measures += _compared(name, plan, ours)
    return {
        "bench": "sampler",
        "machine": {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()},
        "measures": measures,
    }


def _compared(name: str, plan: Outcome, ours: Outcome) -> list[dict[str, object]]:
    pairs = list(zip(plan.seen_after_s, ours.seen_after_s, strict=True))
    seen = [(by_plan, by_us) for by_plan, by_us in pairs if by_plan is not None]
    late = [by_us - by_plan for by_plan, by_us in seen if by_us is not None and by_us > by_plan]
    return [
        _measure(f"{name}: sent by the plan", plan.sent, "pictures"),
        _measure(f"{name}: sent", ours.sent, "pictures"),
        _measure(f"{name}: saved", 1 - ours.sent / plan.sent, "share"),
        _measure(f"{name}: seen by the plan", len(seen), "events"),
        _measure(f"{name}: missed", sum(by_us is None for _, by_us in seen), "of these"),
        _measure(f"{name}: seen late", len(late), "of these"),
        _measure(f"{name}: latest", max(late, default=0.0), "s"),
    ]


def _measure(name: str, value: float, unit: str) -> dict[str, object]:
    return {"name": name, "value": round(value, 3), "unit": unit, "limit": None, "limit_is": None, "ratio": None}
