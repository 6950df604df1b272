"""What detect counts; never a label a camera."""

from __future__ import annotations

from lamplight_kit.metrics import Counter, Gauge, Histogram

FRAMES = Counter("lamplight_detect_frames_total", "Frames answered, by outcome.", ["outcome"])
DROPPED = Counter("lamplight_detect_frames_dropped_total", "Frames passed over since a newer one of their camera came.")
EXAMINED = Counter("lamplight_detect_pictures_examined_total", "Pictures decoded and examined.")
VOUCHED = Counter(
    "lamplight_detect_pictures_vouched_total", "Pictures examined with a valid background of their camera and light."
)
RELEASED = Counter("lamplight_detect_pictures_released_total", "Pictures that the gate released.")
CLOSED = Counter("lamplight_detect_gate_closed_total", "Pictures and uploads that the gate released nothing of.")
FAULTS = Counter("lamplight_detect_faults_total", "Frames that met a fault of ours, by its class.", ["fault"])
CANARIES = Counter("lamplight_detect_canary_total", "Canaries sent through the gate, by outcome.", ["outcome"])
CANARY_OPEN = Gauge("lamplight_detect_canary_open", "1 while the last canary came through, 0 while it closes the gate.")
WAITING = Gauge("lamplight_detect_frames_waiting", "Frames taken in and not yet answered.")
SECONDS = Histogram(
    "lamplight_detect_frame_seconds",
    "From taking a Frame up to its verdict, the wait for a worker left out.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
