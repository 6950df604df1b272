"""The keeper of vectors: Milvus, by its address, or Milvus Lite in this process by a file's path."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import grpc
import numpy as np
from lamplight_kit.errors import Retry
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from lamplight_match import meters
from lamplight_match.model import HistoryRow, ReferenceVector

Answer = TypeVar("Answer")
Row = Mapping[str, Any]
_LIMIT = 16_384
"""What Milvus gives in one answer at most."""
_TEXT = 2_048
_REFERENCE_FIELDS = {"situation_id": 64, "reference_id": 64, "model_sha256": 64, "refused": _TEXT}
_HISTORY_FIELDS = {
    "camera_id": 64,
    "kind": 16,
    "class_name": 64,
    "zone_ids": _TEXT,
    "place_id": 256,
    "picture_key": 512,
    "model_sha256": 64,
}


class MilvusStore:
    """A `VectorStore` on Milvus; one collection a kind and dimension, behind the namespace.

    Ids are made of what a row is about, so that writing it again replaces it. Calls of several threads wait for each
    other: Milvus Lite wants one writer. Index FLAT: exact, and the one that every Milvus has; it suffices for the
    references, which are few, and for a small city's history.
    """

    def __init__(self, uri: str, namespace: str, token: str = "", timeout_s: float = 10.0) -> None:
        """Use the Milvus at `uri` (http(s)://host:port, or a path that ends in .db); nothing connects before a call."""
        self._uri, self._token, self._timeout_s = uri, token, timeout_s
        self._prefix = _prefix(namespace)
        self._client: MilvusClient | None = None
        self._loaded: set[str] = set()
        self._lock = threading.RLock()
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs with traceback what it also raises

    def put_references(self, references: Sequence[ReferenceVector]) -> None:
        """Keep `references`, in place of those of the same situation, reference and encoder."""
        self._upsert("references", [_reference_row(one) for one in references])

    def references(self, situation_id: str) -> Sequence[ReferenceVector]:
        """Return all that is kept of a situation, of every encoder."""
        wanted = [
            "situation_id",
            "reference_id",
            "is_counter_example",
            "model_sha256",
            "stored_ns",
            "refused",
            "vector",
        ]
        rows = self._query("references", f'situation_id == "{situation_id}"', wanted)
        return [_reference(row) for row in rows]

    def drop_references(self, situation_id: str, reference_ids: Collection[str] | None = None) -> None:
        """Forget some references of a situation; all of them where `reference_ids` is None."""
        where = f'situation_id == "{situation_id}"'
        if reference_ids is not None:
            if not reference_ids:
                return
            names = ", ".join(f'"{name}"' for name in sorted(reference_ids))
            where = f"{where} and reference_id in [{names}]"
        self._delete("references", where)

    def all_references(self) -> Sequence[tuple[str, str, int]]:
        """Return (situation id, reference id, stored_ns) of everything kept."""
        rows = self._query("references", "stored_ns >= 0", ["situation_id", "reference_id", "stored_ns"])
        return [(row["situation_id"], row["reference_id"], row["stored_ns"]) for row in rows]

    def put_history(self, rows: Sequence[HistoryRow]) -> None:
        """Keep `rows`, in place of those of the same region and encoder."""
        self._upsert("history", [_history_row(row) for row in rows])

    def drop_history(self, now_ns: int) -> None:
        """Forget the rows that have expired by `now_ns`; by time, since Milvus Lite knows no time to live."""
        self._delete("history", f"expires_ns < {now_ns}")

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            client, self._client = self._client, None
            self._loaded.clear()
            if client is not None:
                client.close()

    def _upsert(self, kind: str, rows: Sequence[Row]) -> None:
        by_dimension: dict[int, list[Row]] = {}
        for row in rows:
            by_dimension.setdefault(len(row["vector"]), []).append(row)
        for dimension, alike in by_dimension.items():
            self._upsert_alike(kind, dimension, alike)

    def _upsert_alike(self, kind: str, dimension: int, rows: list[Row]) -> None:
        def upsert(client: MilvusClient) -> None:
            client.upsert(self._collection(client, kind, dimension), rows, timeout=self._timeout_s)

        self._call("upsert", upsert)

    def _query(self, kind: str, where: str, fields: Sequence[str]) -> Sequence[Row]:
        def ask(client: MilvusClient) -> Sequence[Row]:
            return [
                row
                for name in self._collections(client, kind)
                for row in client.query(
                    name,
                    filter=where,
                    output_fields=list(fields),
                    limit=_LIMIT,
                    consistency_level="Strong",
                    timeout=self._timeout_s,
                )
            ]

        return self._call("query", ask)

    def _delete(self, kind: str, where: str) -> None:
        def delete(client: MilvusClient) -> None:
            for name in self._collections(client, kind):
                client.delete(name, filter=where, timeout=self._timeout_s)

        self._call("delete", delete)

    def _collections(self, client: MilvusClient, kind: str) -> Sequence[str]:
        """Return the collections of a kind, of every dimension, loaded."""
        start = f"{self._prefix}_{kind}_"
        names = [name for name in client.list_collections(timeout=self._timeout_s) if name.startswith(start)]
        found = sorted(name for name in names if name.removeprefix(start).isdecimal())
        for name in found:
            self._load(client, name)
        return found

    def _collection(self, client: MilvusClient, kind: str, dimension: int) -> str:
        """Return the collection of a kind and dimension, made where it is not there."""
        name = f"{self._prefix}_{kind}_{dimension}"
        if name not in self._loaded and not client.has_collection(name, timeout=self._timeout_s):
            schema = _schema(_REFERENCE_FIELDS if kind == "references" else _HISTORY_FIELDS, kind, dimension)
            index = client.prepare_index_params()
            index.add_index("vector", index_type="FLAT", metric_type="COSINE")
            level = "Strong" if kind == "references" else "Bounded"
            client.create_collection(
                name, schema=schema, index_params=index, consistency_level=level, timeout=self._timeout_s
            )
        self._load(client, name)
        return name

    def _load(self, client: MilvusClient, name: str) -> None:
        if name not in self._loaded:
            client.load_collection(name, timeout=self._timeout_s)
            self._loaded.add(name)

    def _call(self, what: str, work: Callable[[MilvusClient], Answer]) -> Answer:
        with self._lock, meters.STORE_SECONDS.labels(what).time():
            try:
                if self._client is None:
                    self._client = self._connect()
                return work(self._client)
            except (MilvusException, grpc.RpcError, OSError) as error:
                self.close()
                text = (
                    f"Milvus at {self._uri}: {what} failed ({error}); tried again by itself, see LAMPLIGHT_MILVUS_URI"
                )
                raise Retry(text) from error

    def _connect(self) -> MilvusClient:
        # Behind an http_proxy gRPC would take loopback's calls there, and hang.
        options = {"grpc.enable_http_proxy": 0}
        return MilvusClient(
            uri=self._uri, token=self._token, timeout=self._timeout_s, grpc_options=options, dedicated=True
        )


def _prefix(namespace: str) -> str:
    """Return what a collection's name may begin with: letters, digits and _, no digit first."""
    plain = namespace.replace("-", "__")
    return f"_{plain}" if plain[0].isdecimal() else plain


def _schema(texts: Mapping[str, int], kind: str, dimension: int) -> Any:
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=512)
    for name, length in texts.items():
        schema.add_field(name, DataType.VARCHAR, max_length=length)
    for name in ("stored_ns",) if kind == "references" else ("at_ns", "expires_ns"):
        schema.add_field(name, DataType.INT64)
    if kind == "references":
        schema.add_field("is_counter_example", DataType.BOOL)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    return schema


def _reference_row(one: ReferenceVector) -> Row:
    return {
        "id": f"{one.situation_id}/{one.reference_id}/{one.model_sha256[:16]}",
        "situation_id": one.situation_id,
        "reference_id": one.reference_id,
        "is_counter_example": one.is_counter_example,
        "model_sha256": one.model_sha256,
        "stored_ns": one.stored_ns,
        "refused": _cut(one.refused, _TEXT),
        "vector": one.vector,
    }


def _reference(row: Row) -> ReferenceVector:
    return ReferenceVector(
        situation_id=row["situation_id"],
        reference_id=row["reference_id"],
        is_counter_example=bool(row["is_counter_example"]),
        model_sha256=row["model_sha256"],
        vector=np.asarray(row["vector"], np.float32),
        stored_ns=int(row["stored_ns"]),
        refused=row["refused"],
    )


def _history_row(row: HistoryRow) -> Row:
    texts = {
        "camera_id": row.camera_id,
        "kind": row.kind,
        "class_name": row.class_name,
        "zone_ids": ",".join(row.zone_ids),
        "place_id": row.place_id,
        "picture_key": row.picture_key,
        "model_sha256": row.model_sha256,
    }
    return {
        "id": f"{row.region_id}/{row.model_sha256[:16]}",
        **{name: _cut(text, _HISTORY_FIELDS[name]) for name, text in texts.items()},
        "at_ns": row.at_ns,
        "expires_ns": row.expires_ns,
        "vector": row.vector,
    }


def _cut(text: str, most_bytes: int) -> str:
    """Cut `text` to what a field holds: a row that Milvus refuses would be tried for ever."""
    return text.encode()[:most_bytes].decode(errors="ignore")
