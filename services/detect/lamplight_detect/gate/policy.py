"""What the gate masks and how sure it must be: the numbers, in one place, attested with every picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

VERSION = "1"


@dataclass(frozen=True)
class Policy:
    """Thresholds (scores 0 to 1) and shares. Measured by hand on the dev half of the footage.

    The `turned_first` pictures of a camera, and one of `turned_every` after them, are looked at in all four turns.
    In a turn that no camera is known to hang in, a person must be surer by `turned_surer` (by
    `known_surer` where another turn is known), and a vehicle reach `turned_vehicle_score` to be masked whole, or
    `turned_huge_vehicle_score` where it fills much of the picture: walls, ground and animals on their side pass for
    both.
    The larger a box is, the surer it must be: at a flat 0.10 a quarter of an empty street is masked. In a tile that
    holds for what is of `small_share` or more (`tile_medium_score`: the whole picture shows it better), and for what
    an inner edge of a tile cuts (`tile_cut_surer`).

    A person's mask goes `person_margin` of its sides beyond the box, and sideways `person_reach` of its height at
    least: less, and labels that are drawn a little wider no longer lie under their masks.

    Somebody of `least_model_px` or more in a tile, as the model is given it, is found reliably (41 of 44 dev people at
    24 pixels, enlarged once, 1.5 or 2 times; 38 to 40 at 16). Whoever is smaller must be at most `most_legible_px`
    tall in what leaves: a picture is searched in as many tiles as that takes, up to `most_tiles` (`most_still_tiles`
    for a single picture), and leaves smaller where more would be needed. From more than
    `most_lone_tiles` a side on, 2x2 tiles are searched besides.

    Where a valid ground vouches that nobody has come, a picture of at most `spared_most_px` is searched as a whole
    alone: tiles and the search for faces are spared there, but in one picture of `full_every`. Faces are looked for in
    parts, `window_margin_px` of the small copy around what is not vouched for, while these are at most
    `windows_most_share` of the picture.

    Models are shown a dark picture lightened: where the grey level below which `dark_percentile` % of it lie is under
    `dark_below`, it is brought to `light_to`, at most `light_most` times as bright; from `light_knee` on less is added.

    A picture that the camera's motion blurred, by `blur_least_px` to `blur_most_px` pixels, they are shown sharpened
    as well: one where the deepest dip of the cepstrum is `blur_sure` standard deviations deep: nearly all dev
    pictures with nine pixels of motion, hardly one as it came, and some that are compressed hard.
    Where a ground vouches for `sharp_vouched` of the picture it is not done: the camera did not move.
    `blur_noise` is what Wiener's filter takes noise for, as a share of the picture's power.
    """

    whole_score: float = 0.05
    tile_score: float = 0.10
    tile_overlap: float = 0.30
    tile_max_share: float = 0.12
    tile_medium_score: float = 0.35
    least_model_px: float = 24.0
    most_legible_px: float = 16.0
    most_tiles: int = 12
    most_still_tiles: int = 48
    most_lone_tiles: int = 4
    tile_cut_surer: float = 0.15
    small_share: float = 0.02
    small_score: float = 0.10
    medium_share: float = 0.10
    medium_score: float = 0.12
    large_share: float = 0.30
    large_score: float = 0.20
    huge_score: float = 0.30
    wide_score: float = 0.35
    person_margin: float = 0.10
    person_reach: float = 0.07
    face_score: float = 0.30
    face_margin: float = 0.20
    large_face_share: float = 0.05
    large_face_score: float = 0.50
    vehicle_score: float = 0.15
    tile_vehicle_score: float = 0.30
    medium_vehicle_score: float = 0.20
    large_vehicle_score: float = 0.30
    huge_vehicle_score: float = 0.40
    band_from: float = 0.35
    band_to: float = 1.05
    held_thing_score: float = 0.10
    held_thing_share: float = 0.30
    rider_score: float = 0.20
    rider_share: float = 0.10
    ridden_to_rider: float = 3.0
    hold_s: float = 1.0
    hold_samples: int = 2
    live_gap_s: float = 5.0
    turned_first: int = 8
    turned_every: int = 16
    turned_surer: float = 0.25
    known_surer: float = 0.35
    turned_vehicle_score: float = 0.35
    turned_huge_vehicle_score: float = 0.60
    spared_most_px: int = 1280 * 720
    full_every: int = 16
    window_margin_px: int = 8
    windows_most_share: float = 0.5
    dark_percentile: float = 95.0
    dark_below: float = 90.0
    light_to: float = 140.0
    light_most: float = 6.0
    light_knee: float = 200.0
    blur_least_px: float = 5.0
    blur_most_px: float = 32.0
    blur_sure: float = 7.0
    blur_noise: float = 0.01
    sharp_vouched: float = 0.5

    def surer(self, by: float) -> Policy:
        """Return the same policy with people surer `by` so much, for a turn that the camera may not hang in."""
        scores = ("small_score", "medium_score", "large_score", "huge_score", "wide_score")
        return replace(self, **{name: getattr(self, name) + by for name in scores})

    def numbers(self) -> Mapping[str, float]:
        """Return every threshold by name, for the attestation."""
        return {name: float(value) for name, value in asdict(self).items()}
