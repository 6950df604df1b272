"""What embed counts."""

from __future__ import annotations

from lamplight_kit.metrics import Counter, Histogram

REGIONS = Counter(
    "lamplight_embed_regions_total", "Regions by kind and outcome (embedded, refused).", ["kind", "outcome"]
)
SECONDS = Histogram(
    "lamplight_embed_seconds",
    "Time to decode and encode one region.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
)
