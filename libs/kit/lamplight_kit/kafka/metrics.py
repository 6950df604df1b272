"""What the bus loop counts; one registry a process, no label a camera."""

from __future__ import annotations

from lamplight_kit.metrics import Counter, Gauge, Histogram

HANDLED = Counter("lamplight_bus_handled_total", "Messages handled and committed.", ["stage", "topic"])
FAILED = Counter("lamplight_bus_failed_total", "Messages or batches that failed, by error class.", ["stage", "error"])
DROPPED = Counter("lamplight_bus_dropped_total", "Unsent records dropped past the outbox's bound.", ["stage"])
REBUILT = Counter("lamplight_bus_rebuilt_total", "Producers and states thrown away and rebuilt.", ["stage"])
BATCH_SECONDS = Histogram("lamplight_bus_batch_seconds", "Time from a batch in hand to its commit.", ["stage"])
LAG = Gauge("lamplight_bus_lag", "Records not yet handled, over all partitions of this member.", ["stage", "topic"])
PAUSED = Gauge("lamplight_bus_paused", "Partitions that wait for a release that knows their messages.", ["stage"])
WAITING = Gauge("lamplight_bus_outbox_records", "Records that wait in the outbox.", ["stage"])
