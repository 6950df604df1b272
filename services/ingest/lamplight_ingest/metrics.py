"""What ingest counts: by state and worker, never by camera."""

from __future__ import annotations

from lamplight_kit.metrics import Counter, Gauge, Histogram

CAMERAS = Gauge("lamplight_ingest_cameras", "Cameras that this worker watches, by state.", ["worker", "state"])
SENT = Counter("lamplight_ingest_frames_sent_total", "Frames sent to detect.", ["worker"])
DROPPED = Counter("lamplight_ingest_frames_dropped_total", "Frames dropped, by reason.", ["worker", "reason"])
VERDICTS = Counter("lamplight_ingest_verdicts_total", "Answers of detect, by outcome.", ["worker", "outcome"])
ANSWER_SECONDS = Histogram("lamplight_ingest_answer_seconds", "From a frame sent to its verdict.", ["worker"])
TRIES = Counter("lamplight_ingest_source_tries_total", "Times that a source was asked for pictures.", ["worker"])
FAULTS = Counter("lamplight_ingest_source_faults_total", "Sources ended by a fault of our own.", ["worker"])
CAME = Counter("lamplight_ingest_pictures_total", "Pictures that came from sources.", ["worker"])
SPARED = Counter(
    "lamplight_ingest_pictures_spared_total", "Pictures that were due and not sent: nothing had happened.", ["worker"]
)
DETECTS = Gauge("lamplight_ingest_detect_replicas", "Detect replicas that take frames.", ["worker"])
PENDING_BYTES = Gauge("lamplight_ingest_pending_bytes", "Pictures that wait for detect, bytes.", ["worker"])
