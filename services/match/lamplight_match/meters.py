"""What match counts."""

from __future__ import annotations

from lamplight_kit.metrics import Counter, Gauge, Histogram

REGIONS = Counter(
    "lamplight_match_regions_total",
    "Live regions by what became of them: compared, matched, out_of_scope, without_vector.",
    ["outcome"],
)
PASSED_OVER = Counter(
    "lamplight_match_passed_over_total",
    "Comparisons that could not be made, by reason: other_model, vectors_missing.",
    ["reason"],
)
SITUATIONS = Counter("lamplight_match_situations_total", "Versions of situations written, by state.", ["state"])
READY = Gauge("lamplight_match_ready_situations", "Situations that live regions are compared with.")
STORE_SECONDS = Histogram("lamplight_match_store_seconds", "Time of one call to the vector store.", ["call"])
