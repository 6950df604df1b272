"""The live half: every vector of a live region is kept in the history and compared with the situations in scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import structlog
from lamplight.camera.v1 import camera_pb2
from lamplight.embedding.v1 import embedding_pb2
from lamplight.match.v1 import match_pb2
from lamplight.region.v1 import region_pb2
from lamplight.situation.v1 import situation_pb2
from lamplight_kit.errors import Retry
from lamplight_kit.kafka.types import Outgoing, TableView

from lamplight_match import meters
from lamplight_match.enrolment import Situation
from lamplight_match.galleries import Galleries
from lamplight_match.model import HistoryRow, Vector, VectorStore
from lamplight_match.scope import in_scope
from lamplight_match.similarity import likeness
from lamplight_match.vectors import pooled

Overlaid = Callable[[Mapping[str, Situation]], Mapping[str, Situation]]
_log = structlog.get_logger()
_DAY_NS = 86_400 * 1_000_000_000


class Comparer:
    """Compares live vectors; `situations` and `cameras` are tables that another thread keeps current."""

    def __init__(
        self, store: VectorStore, situations: TableView, cameras: TableView, default_retention_days: int
    ) -> None:
        """Keep history as long as the camera's pictures, `default_retention_days` where the camera is not known."""
        self._store = store
        self._galleries = Galleries(store)
        self._situations = situations
        self._cameras = cameras
        self._default_retention_days = default_retention_days
        self._ready: Sequence[Situation] = ()
        self._rows: list[HistoryRow] = []
        self._lacking: set[str] = set()
        self._told: set[tuple[str, str]] = set()

    def begin(self, overlaid: Overlaid) -> None:
        """Begin a batch; raises `Retry` until the tables have been read whole."""
        if not (self._situations.wait_ready(0) and self._cameras.wait_ready(0)):
            message = "the tables of situations and cameras are still being read; tried again by itself"
            raise Retry(message)
        self._rows.clear()
        self._lacking.clear()
        self.look(overlaid)

    def look(self, overlaid: Overlaid) -> None:
        """See which situations are ready now; `overlaid` puts what this member holds over the table."""
        table = self._situations.items()
        known = overlaid({key: value for key, value in table.items() if isinstance(value, situation_pb2.Situation)})
        self._galleries.keep_only(frozenset(known))
        self._ready = [known[key] for key in sorted(known) if known[key].state == Situation.STATE_READY]
        meters.READY.set(len(self._ready))

    def reread(self) -> None:
        """Ask the store again for everything."""
        self._galleries.clear()

    def finish(self) -> frozenset[str]:
        """Keep the history of the batch in one call; return the situations whose vectors the store lacked."""
        if self._rows:
            self._store.put_history(self._rows)
        return frozenset(self._lacking)

    def live(self, key: str, embedding: embedding_pb2.Embedding) -> Sequence[Outgoing]:
        """Return what a live region was compared with and what it resembles; nothing where nothing is in scope."""
        if embedding.refused:
            meters.REGIONS.labels("without_vector").inc()
            return ()
        vector = pooled(embedding)
        camera = self._cameras.get(embedding.source.camera_id)
        camera = camera if isinstance(camera, camera_pb2.Camera) else camera_pb2.Camera()
        self._rows.append(self._row(embedding, vector, camera.retention_days))
        matches = match_pb2.Matches(source=embedding.source, model_sha256=embedding.model_sha256)
        for situation in self._ready:
            if in_scope(situation, embedding.source, camera.labels):
                self._compare(situation, vector, matches)
        if not matches.compared_situation_ids:
            meters.REGIONS.labels("out_of_scope").inc()
            return ()
        meters.REGIONS.labels("matched" if matches.matches else "compared").inc()
        return [Outgoing("matches", key, matches)]

    def _compare(self, situation: Situation, vector: Vector, matches: match_pb2.Matches) -> None:
        if situation.model_sha256 != matches.model_sha256:
            self._other_model(situation, matches.model_sha256)
            return
        gallery = self._galleries.of(situation)
        if gallery is None:
            meters.PASSED_OVER.labels("vectors_missing").inc()
            self._lacking.add(situation.id)
            return
        matches.compared_situation_ids.append(situation.id)
        found = likeness(vector, gallery)
        if found.is_match:
            matches.matches.add(
                situation_id=situation.id,
                score=found.score,
                margin=found.margin,
                threshold=gallery.threshold,
                reference_id=found.reference_id,
            )

    def _other_model(self, situation: Situation, model_sha256: str) -> None:
        """Count a comparison that cannot be made, and say once why."""
        meters.PASSED_OVER.labels("other_model").inc()
        if (situation.id, model_sha256) not in self._told:
            self._told.add((situation.id, model_sha256))
            cure = "add the situation again: vectors of two models are never compared"
            _log.warning("situation of another model", situation_id=situation.id, found=model_sha256, cure=cure)

    def _row(self, embedding: embedding_pb2.Embedding, vector: Vector, retention_days: int) -> HistoryRow:
        source = embedding.source
        return HistoryRow(
            region_id=source.region_id,
            camera_id=source.camera_id,
            at_ns=source.at_ns,
            expires_ns=source.at_ns + (retention_days or self._default_retention_days) * _DAY_NS,
            kind=region_pb2.RegionKind.Name(source.kind).removeprefix("REGION_KIND_").lower(),
            class_name=source.class_name,
            zone_ids=tuple(source.zone_ids),
            place_id=source.place_id,
            picture_key=source.picture_key,
            model_sha256=embedding.model_sha256,
            vector=vector,
        )
