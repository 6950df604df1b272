"""Putting match together; the only module that names adapters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lamplight.camera.v1 import camera_pb2
from lamplight_kit.audit import Auditor
from lamplight_kit.clock import Clock, SystemClock
from lamplight_kit.kafka.outbox import KafkaOutbox
from lamplight_kit.kafka.stage import Stage
from lamplight_kit.kafka.table import Table, Tables
from lamplight_kit.kafka.types import TableView
from lamplight_kit.rpc import Tokens
from lamplight_kit.service import Component

from lamplight_match.adapters.grpc_situations import Desk, SituationApi
from lamplight_match.adapters.memory import MemoryStore, MemoryTable
from lamplight_match.enrolling import Enroller
from lamplight_match.handler import INPUTS, STATE, MatchHandler
from lamplight_match.keeping import Sweeper
from lamplight_match.live import Comparer
from lamplight_match.model import VectorStore
from lamplight_match.settings import MatchSettings


def build(settings: MatchSettings, store: VectorStore | None = None) -> Sequence[Component]:
    """Return the parts of the service in the order in which they start; `store` stands in for Milvus."""
    bus = replace(settings.bus(), max_batch=settings.match_batch)
    clock = SystemClock()
    situations, cameras = Table("situations"), Table("cameras")
    vectors = store or _milvus(settings)
    handler = build_handler(vectors, situations, cameras, clock, settings.history_days)
    outbox = KafkaOutbox(bus, "match-api", ("commands", "audit"))
    auditor = Auditor(outbox, settings.replica, clock)
    desk = Desk(outbox, situations, auditor, clock, settings.enrol_timeout_s)
    return [
        Tables(bus, [situations, cameras]),
        Stage(bus, "match", INPUTS, handler, state=STATE),
        outbox,
        SituationApi(settings.grpc_listen, Tokens.read(settings.tokens_file), desk),
        Sweeper(vectors, situations, clock, settings.sweep_every_s),
    ]


def _milvus(settings: MatchSettings) -> VectorStore:
    from lamplight_match.adapters.milvus import MilvusStore  # noqa: PLC0415 - its client loads pandas; `local` needs none

    return MilvusStore(settings.milvus_uri, settings.namespace, settings.milvus_token, settings.milvus_timeout_s)


def build_handler(
    store: VectorStore, situations: TableView, cameras: TableView, clock: Clock, history_days: int
) -> MatchHandler:
    """Return match's handler on `store` and two tables."""
    return MatchHandler(Enroller(store, clock), Comparer(store, situations, cameras, history_days))


def local(*, cameras: Iterable[camera_pb2.Camera] = (), clock: Clock | None = None) -> MatchHandler:
    """Return match's handler for one process without Kafka or Milvus; nothing lasts longer than the process.

    Enrol by giving it `embeddings` records of the examples (key: situation id) and one `commands` record with
    `enrol_situation`, all of partition 0; its answer is a `situations` record, ready or refused. Then give it live
    `embeddings` records (key: camera id) and take `matches`. `cameras` give their labels to selectors.
    """
    known = MemoryTable({camera.id: camera for camera in cameras})
    return build_handler(MemoryStore(keeps_history=False), MemoryTable({}), known, clock or SystemClock(), 1)
