"""Keeping the vector store small: what has expired and what no situation lists is forgotten, by time."""

from __future__ import annotations

import threading

import structlog
from lamplight.situation.v1 import situation_pb2
from lamplight_kit.clock import NS_PER_S, Clock
from lamplight_kit.errors import Retry
from lamplight_kit.kafka.types import TableView

from lamplight_match.model import VectorStore

_ORPHAN_NS = 24 * 3_600 * NS_PER_S
_log = structlog.get_logger()


def sweep(store: VectorStore, situations: TableView, now_ns: int) -> None:
    """Forget expired history, and references that for a day no situation has listed; raises `Retry`.

    An upload whose situation was never enrolled leaves such references; Milvus Lite knows no time to live.
    """
    store.drop_history(now_ns)
    listed = {
        (situation.id, reference.reference_id)
        for situation in situations.items().values()
        if isinstance(situation, situation_pb2.Situation)
        for reference in situation.references
    }
    for situation_id, reference_id, stored_ns in store.all_references():
        if (situation_id, reference_id) not in listed and stored_ns < now_ns - _ORPHAN_NS:
            store.drop_references(situation_id, {reference_id})


class Sweeper:
    """Sweeps every `every_s` seconds; a component of `lamplight_kit.service`."""

    name = "sweeper"

    def __init__(self, store: VectorStore, situations: TableView, clock: Clock, every_s: float) -> None:
        """Keep what is given; nothing is called before `start`."""
        self._store = store
        self._situations = situations
        self._clock = clock
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin in a thread."""
        self._thread.start()

    def unready(self) -> str | None:
        """Nothing waits for this part."""
        return None

    def stop(self, timeout_s: float) -> None:
        """End after the call in hand."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            if not self._situations.wait_ready(0):
                continue
            try:
                sweep(self._store, self._situations, self._clock.now_ns())
            except Retry as error:
                _log.warning("not swept", error=str(error))
