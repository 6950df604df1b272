"""Makes the canary: `python services/detect/tests/canary_maker.py` writes lamplight_detect/canary's pictures anew.

The street and the one person on foot are of the demo's footage (NE Travel Data, Open Government Licence v3.0):
somebody of 58 px is set into an empty picture of the same camera at 120, 40 and 16 px.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import cv2
import lamplight_detect
import numpy as np
from lamplight_detect.bootstrap import canary_of, sessions_of
from lamplight_detect.canary import Person, Portrait
from lamplight_detect.canary.check import decoded
from lamplight_detect.canary.expected import colours_of
from lamplight_detect.settings import default_models
from lamplight_kit.onnx.golden import summarise
from lamplight_kit.onnx.manifest import GoldenOutput
from numpy.typing import NDArray

Bgr = NDArray[np.uint8]
FOLDER = Path(lamplight_detect.__file__).parent / "canary"
FOOTAGE = Path(lamplight_detect.__file__).parents[3] / "examples" / "demo" / "lamplight_demo" / "footage"
PERSON_XYXY = (193, 163, 213, 221)
MARGIN_PX = 5
PLACES = ((128, 240, 120, "whole"), (480, 336, 40, "whole"), (320, 312, 16, "tiles"))
"""Left, top, height in pixels, and the pass that must find somebody there."""
QUALITY = 90


def by_day() -> tuple[Bgr, list[Person]]:
    """Return the street with three people on it."""
    source, street = _read("neA69A1_20200508_1040.jpg"), _read("neA69A1_20200508_1050.jpg")
    people = [_set_in(street, source, place) for place in PLACES]
    return street, people


def infrared(picture: Bgr) -> Bgr:
    """Return `picture` grey, brighter in the dark, with grain: as an infrared camera shows it."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    noisy = 255 * (grey / 255) ** 0.8 + np.random.default_rng(7).normal(0, 4, grey.shape)
    return cv2.merge([np.clip(noisy, 0, 255).astype(np.uint8)] * 3).astype(np.uint8, copy=False)


def encoded(picture: Bgr) -> bytes:
    """Return `picture` as a JPEG."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def _read(name: str) -> Bgr:
    found = cv2.imread(str(FOOTAGE / name))
    assert found is not None, name
    return found.astype(np.uint8, copy=False)


def _set_in(street: Bgr, source: Bgr, place: tuple[int, int, int, str]) -> Person:
    left, top, right, bottom = PERSON_XYXY
    at_x, at_y, height, found_by = place
    scale = height / (bottom - top)
    patch = source[top - MARGIN_PX : bottom + MARGIN_PX, left - MARGIN_PX : right + MARGIN_PX].astype(np.float32)
    soft = np.zeros(patch.shape[:2], np.float32)
    soft[3:-3, 3:-3] = 1
    soft = cv2.GaussianBlur(soft, (5, 5), 1.2).astype(np.float32, copy=False)
    size = max(1, round(patch.shape[1] * scale)), max(1, round(patch.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    patch = np.clip(cv2.resize(patch, size, interpolation=method), 0, 255)
    share = cv2.resize(soft, size, interpolation=method)[..., None]
    from_x, from_y = round(at_x - MARGIN_PX * scale), round(at_y - MARGIN_PX * scale)
    part = street[from_y : from_y + size[1], from_x : from_x + size[0]]
    part[:] = (patch * share + part * (1 - share)).round().clip(0, 255).astype(np.uint8)
    return Person(height, (at_x, at_y, round(at_x + (right - left) * scale, 1), at_y + height), found_by)


def _described(name: str, picture: Bgr, people: list[Person]) -> dict[str, object]:
    data = encoded(picture)
    (FOLDER / name).write_bytes(data)
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    portrait = Portrait(name, data, tuple(people), colours_of(shown.astype(np.uint8, copy=False)), {})
    return {
        "file": name,
        "people": [asdict(person) for person in people],
        "colours": np.round(portrait.colours, 2).tolist(),
        "golden": _golden(portrait),
    }


def _golden(portrait: Portrait) -> dict[str, object]:
    """Return summaries of what each model answers first, by its sha256."""
    told: dict[str, object] = {}
    decoded(portrait)
    for things in ("nanodet.yaml", "nanodet-int8.yaml"):
        sessions = sessions_of(default_models() / things, default_models() / "centerface.yaml")
        canary = canary_of(sessions, pictures=(portrait,))
        why = canary.check()
        assert not why, why
        for recorder in canary.recorders:
            outputs = recorder.first or {}
            told[recorder.manifest.sha256] = [_rounded(summarise(*one)) for one in outputs.items()]
    return told


def _rounded(summary: GoldenOutput) -> dict[str, object]:
    told = json.dumps(asdict(summary))
    rounded: dict[str, object] = json.loads(told, parse_float=lambda text: float(f"{float(text):.6g}"))
    return rounded


def main() -> None:
    """Write the pictures and what is expected of them."""
    day, people = by_day()
    pictures = [_described("day.jpg", day, people), _described("infrared.jpg", infrared(day), people)]
    (FOLDER / "canary.json").write_text(json.dumps({"pictures": pictures}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
