"""What was counted, as the rows that a bench prints."""

from __future__ import annotations

from dataclasses import dataclass

from lamplight_detect.privacy_bench.tally import HEIGHTS_PX, Tally, mean, wilson

NO_LIMIT_PX = 1 << 20


@dataclass(frozen=True)
class Limits:
    """The shares that a condition is held to, None where to none: of people at least, of the rest at most."""

    from_16_px: float | None = None
    from_40_px: float | None = None
    photographs: float | None = None
    streets: float | None = None
    refused: float | None = None


def told(condition: str, tally: Tally, limits: Limits, *, is_outside: bool = False) -> list[dict[str, object]]:
    """Return the measures of one condition; heights of which there is nobody have none."""
    spans: list[tuple[str, tuple[int, int], float | None]] = [
        ("from 16 px", tally.of(16), limits.from_16_px),
        ("from 40 px", tally.of(40), limits.from_40_px),
    ]
    for low, high in HEIGHTS_PX:
        spans.append((f"{low} to {high} px" if high < NO_LIMIT_PX else f"above {low} px", tally.of(low, high), None))
    rows = [_share(f"{condition}: {name}", counted, limit) for name, counted, limit in spans if counted[1]]
    kinds = (
        ("photographs", tally.over_masked, limits.photographs),
        ("streets", tally.over_masked_streets, limits.streets),
        ("streets, vehicles aside", tally.beside_vehicles, None),
    )
    for name, shares, limit in kinds:
        if shares:
            unit = f"of {len(shares)} pictures"
            rows.append(measure(f"{condition}: over-masked {name}", mean(shares), unit, limit))
    pictures = len(tally.over_masked) + len(tally.over_masked_streets) + tally.refused
    rows.append(measure(f"{condition}: refused", tally.refused / pictures, f"of {pictures} pictures", limits.refused))
    if is_outside:
        unit = f"finds not explained ({tally.explained_outside} are of masks, or of people counted above)"
        rows.append(measure(f"{condition}: found outside", len(tally.found_outside), unit, 0))
    return rows


def measure(
    name: str, value: float, unit: str, limit: float | None = None, limit_is: str = "at most"
) -> dict[str, object]:
    """Return one row as `lamplight bench` takes it."""
    return {
        "name": name,
        "value": round(value, 4),
        "unit": unit,
        "limit": limit,
        "limit_is": None if limit is None else limit_is,
        "ratio": None,
    }


def _share(name: str, counted: tuple[int, int], limit: float | None) -> dict[str, object]:
    hits, count = counted
    low, high = wilson(hits, count)
    unit = f"masked, {hits} of {count} people, 95 %: {low:.3f} to {high:.3f}"
    return measure(name, hits / count, unit, limit, "at least")
