"""Makes what the demo's cameras show: real footage as it is, composites drawn from it, always the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from lamplight_demo import scenes
from lamplight_demo.cameras.http import Script, Step
from lamplight_demo.media.encode import jpeg, write_mp4
from lamplight_demo.scenes import Picture

FOOTAGE = Path(__file__).parent / "footage"
FPS = 5
JUNCTION = tuple(f"neA69A1_20200508_{time}.jpg" for time in (1040, 1050, 1100))
OLD_STREET = tuple(f"tfl01251_20200620_{time}.jpg" for time in (2010, 2020, 2030))
# The white car of the Vienna street, in that picture's pixels.
WHITE_CAR = [
    (84, 343), (98, 334), (106, 316), (121, 310), (168, 310), (184, 316), (190, 338), (195, 350), (193, 382), (86, 384),
]  # fmt: skip
STANDS_AT = (306, 224)
ENTERS_S, STANDS_S, LEAVES_S, ROUND_S, ROUNDS = 4.0, 6.0, 34.0, 60.0, 5
LENS_OPEN_S, LENS_COVERED_S = 18, 22


@dataclass(frozen=True)
class Shows:
    """What is shown: files that RTSP replays, a file that is watched by itself, and snapshot scripts; by camera id."""

    replays: dict[str, Path]
    files: dict[str, Path]
    scripts: dict[str, Script]


def footage(name: str) -> Picture:
    """Return a committed picture; FileNotFoundError where it is not there."""
    picture = cv2.imread(str(FOOTAGE / name))
    if picture is None:
        raise FileNotFoundError(FOOTAGE / name)
    return picture.astype("uint8")


def render(folder: Path, tell: Callable[[str], None]) -> Shows:
    """Draw the composites into `folder` (what is there already is kept) and return what all cameras show."""
    folder.mkdir(parents=True, exist_ok=True)
    junction, yard = folder / "junction-v1.mp4", folder / "yard-v1.mp4"
    for path, pictures in ((junction, standing_car), (yard, covered_lens)):
        if not path.exists():
            tell(f"drawing the composite {path.stem} (once)")
            write_mp4(pictures(), path, fps=FPS)
    return Shows(
        {"ring-road": FOOTAGE / "road_topdown_cars.mp4", "bus-yard": yard},
        {"church-junction": junction},
        {"old-street": old_street(), "harbour-gate": harbour_gate(), "canal-road": canal_road()},
    )


def standing_car() -> Iterator[Picture]:
    """Yield a junction where a car drives in, stands, and drives off, five times."""
    street = scenes.empty_street([footage(name) for name in JUNCTION])
    car = scenes.cut_out(footage("usgov_19064748793.jpg"), WHITE_CAR)
    for number in range(round(ROUND_S * ROUNDS * FPS)):
        at_s = number / FPS % ROUND_S
        if ENTERS_S <= at_s < LEAVES_S + 2:
            before = max(0.0, STANDS_S - at_s) / (STANDS_S - ENTERS_S)
            after = max(0.0, at_s - LEAVES_S) / 2
            left = STANDS_AT[0] - round(430 * before) + round(360 * after)
            yield scenes.paste(street, car, left, STANDS_AT[1] + round(40 * (before + after)))
        else:
            yield street


def covered_lens() -> Iterator[Picture]:
    """Yield a street whose camera is covered after a while, and uncovered again."""
    street = cv2.resize(footage("usgov_19064748793.jpg"), (720, 480)).astype("uint8")
    variants = [scenes.noisy(street, seed) for seed in range(4)]
    covered = [scenes.noisy(scenes.dark(street), seed, 1.0) for seed in range(4)]
    for number in range((LENS_OPEN_S + LENS_COVERED_S) * FPS):
        yield (variants if number < LENS_OPEN_S * FPS else covered)[number % 4]


def old_street() -> Script:
    """Return three real pictures of a London street at dusk, ten minutes apart in truth, ten seconds here."""
    return Script(tuple(Step((FOOTAGE / name).read_bytes(), 10.0) for name in OLD_STREET))


def harbour_gate() -> Script:
    """Return real pictures of a junction, then the card that an operator shows when a camera is off, taken anew."""
    pictures = [Step((FOOTAGE / name).read_bytes(), 6.0) for name in JUNCTION]
    card = Step((FOOTAGE / "fault_camera_offline.jpg").read_bytes(), 4.0)
    return Script((*pictures, *[card] * 6))


def canal_road() -> Script:
    """Return a road that floods and dries: a new picture every two seconds.

    It floods after 24 s, when the situation has been enrolled, and stays so long that scenes of it are embedded.
    """
    dry = cv2.resize(footage("usgov_34501842524.jpg"), (720, 480)).astype("uint8")
    levels = [None] * 12 + [0.76, 0.68] + [0.62] * 14 + [0.70]
    waters = [dry if level is None else scenes.flooded(dry, level, 40 + n) for n, level in enumerate(levels)]
    return Script(tuple(Step(jpeg(scenes.noisy(water, n)), 2.0) for n, water in enumerate(waters)))


def situation_examples() -> dict[str, list[bytes]]:
    """Return what the situation `flooded-road` is enrolled with: other waters than those that the camera shows."""
    road = cv2.resize(footage("usgov_34501842524.jpg"), (720, 480)).astype("uint8")
    examples = [scenes.flooded(road, level, seed) for seed, level in enumerate((0.60, 0.66, 0.72))]
    counter = [road, scenes.noisy(road, 99, 5.0), scenes.noisy(road, 98, 3.0)]
    return {"examples": [jpeg(one) for one in examples], "counter": [jpeg(one) for one in counter]}
