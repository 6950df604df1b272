"""One contract for every keeper of vectors: the one in memory, Milvus Lite, and a Milvus server that is named.

LAMPLIGHT_TEST_MILVUS=http://host:port adds a server that runs already.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from lamplight_kit.errors import Retry, Stop
from lamplight_match.adapters.local_milvus import LocalMilvus
from lamplight_match.adapters.memory import MemoryStore
from lamplight_match.adapters.milvus import MilvusStore
from lamplight_match.model import HistoryRow, ReferenceVector, VectorStore
from pymilvus import MilvusClient

pytestmark = pytest.mark.integration
DIMENSION = 1280
SERVER = os.environ.get("LAMPLIGHT_TEST_MILVUS", "")


@dataclass(frozen=True)
class Kept:
    """A store under test, and a look at the regions in its history past the store's own calls."""

    store: VectorStore
    history: Callable[[], set[str]]


def history_in(url: str, namespace: str) -> set[str]:
    """Return the ids in the history collection of `namespace`."""
    client = MilvusClient(uri=url, grpc_options={"grpc.enable_http_proxy": 0}, dedicated=True)
    try:
        rows = client.query(
            f"{namespace}_history_{DIMENSION}", filter='id != ""', output_fields=["id"], consistency_level="Strong"
        )
    finally:
        client.close()
    return {str(row["id"]).rpartition("/")[0] for row in rows}


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Milvus Lite server of this module's own."""
    milvus = LocalMilvus(tmp_path_factory.mktemp("milvus"))
    milvus.start()
    yield milvus.url
    milvus.stop(5)


@pytest.fixture(params=["memory", "lite", "server"])
def kept(request: pytest.FixtureRequest, namespace: str) -> Iterator[Kept]:
    """Each keeper in turn, empty."""
    if request.param == "memory":
        memory = MemoryStore()
        yield Kept(memory, lambda: {region for region, _ in memory.history})
        return
    if request.param == "server" and not SERVER:
        pytest.skip("no Milvus server named by LAMPLIGHT_TEST_MILVUS")
    url = SERVER if request.param == "server" else request.getfixturevalue("lite")
    store = MilvusStore(url, namespace)
    yield Kept(store, lambda: history_in(url, namespace))
    store.close()


def unit(seed: int, dimension: int = DIMENSION) -> np.typing.NDArray[np.float32]:
    """Return a vector of length 1."""
    values = np.random.default_rng(seed).normal(size=dimension)
    return (values / np.linalg.norm(values)).astype(np.float32)


def reference(
    name: str, seed: int, *, situation: str = "flood", model: str = "a" * 64, **more: object
) -> ReferenceVector:
    """Return the vector of an example."""
    fields = {"is_counter_example": False, "vector": unit(seed), "stored_ns": seed, "refused": "", **more}
    return ReferenceVector(situation_id=situation, reference_id=name, model_sha256=model, **fields)  # type: ignore[arg-type]  # fields of the test's choice


def row(region_id: str, expires_ns: int, seed: int = 1) -> HistoryRow:
    """Return the vector of a live region."""
    key = "lamplight/7d/canal-1/2026-01-01/x.jpg"
    return HistoryRow(region_id, "canal-1", 1, expires_ns, "scene", "", ("lane", "kerb"), "", key, "a" * 64, unit(seed))


def test_references_come_back_as_they_went_in(kept: Kept) -> None:
    """Every field, the vector to the last bit, of every encoder; other situations stay apart."""
    wanted = [
        reference("one.jpg", 1),
        reference("dry.jpg", 2, is_counter_example=True),
        reference("bad.jpg", 3, refused="99 % masked; take another: „so“"),
        reference("one.jpg", 4, model="b" * 64, vector=unit(4, 512)),
    ]
    kept.store.put_references([*wanted, reference("one.jpg", 5, situation="smoke")])
    found = sorted(kept.store.references("flood"), key=lambda one: one.stored_ns)
    assert found == wanted
    for one, other in zip(found, wanted, strict=True):
        assert (one.vector == other.vector).all()
    assert kept.store.references("nothing") == []


def test_writing_again_replaces(kept: Kept) -> None:
    """The same reference by the same encoder is there once, as it was last written."""
    kept.store.put_references([reference("one.jpg", 1)])
    kept.store.put_references([reference("one.jpg", 2)])
    (found,) = kept.store.references("flood")
    assert found.stored_ns == 2
    assert (found.vector == unit(2)).all()


def test_references_are_forgotten_by_name_or_all(kept: Kept) -> None:
    """Forgetting what is not there is harmless."""
    kept.store.drop_references("flood")
    kept.store.put_references([reference(name, seed) for seed, name in enumerate(("a.jpg", "b.jpg", "c.jpg"))])
    kept.store.put_references([reference("a.jpg", 9, situation="smoke")])
    kept.store.drop_references("flood", set())
    kept.store.drop_references("flood", {"a.jpg", "none.jpg"})
    assert {one.reference_id for one in kept.store.references("flood")} == {"b.jpg", "c.jpg"}
    assert sorted(kept.store.all_references()) == [("flood", "b.jpg", 1), ("flood", "c.jpg", 2), ("smoke", "a.jpg", 9)]
    kept.store.drop_references("flood")
    assert kept.store.references("flood") == []
    assert len(kept.store.references("smoke")) == 1


def test_history_is_written_once_and_expires(kept: Kept) -> None:
    """A region written again is there once; what has expired goes, by time."""
    kept.store.drop_history(1)
    kept.store.put_history([row("canal-1-1-1", 100), row("canal-1-1-2", 200), row("canal-1-1-3", 300)])
    kept.store.put_history([row("canal-1-1-3", 300, seed=2)])
    assert kept.history() == {"canal-1-1-1", "canal-1-1-2", "canal-1-1-3"}
    kept.store.drop_history(200)
    assert kept.history() == {"canal-1-1-2", "canal-1-1-3"}


def test_milvus_away_is_a_reason_to_wait_and_what_it_kept_is_there_again(tmp_path: Path, namespace: str) -> None:
    """Calls fail with `Retry` while it is away, behind a dead proxy too, and work again by themselves."""
    milvus = LocalMilvus(tmp_path / "milvus")
    milvus.start()
    port = milvus.port
    store = MilvusStore(milvus.url, namespace, timeout_s=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("http_proxy", "http://127.0.0.1:9")
        patch.setenv("https_proxy", "http://127.0.0.1:9")
        store.put_references([reference("one.jpg", 1)])
        milvus.stop(5)
        with pytest.raises(Retry, match="LAMPLIGHT_MILVUS_URI"):
            store.references("flood")
        with pytest.raises(Retry):
            store.put_references([reference("two.jpg", 2)])
        again = LocalMilvus(tmp_path / "milvus", f"127.0.0.1:{port}")
        again.start()
        assert [one.reference_id for one in store.references("flood")] == ["one.jpg"]
        store.close()
        again.stop(5)


def test_a_path_is_milvus_in_this_process(tmp_path: Path) -> None:
    """A path that ends in .db needs no server."""
    store = MilvusStore(str(tmp_path / "vectors.db"), f"t{uuid.uuid4().hex[:8]}-a")
    store.put_references([reference("one.jpg", 1)])
    assert len(store.references("flood")) == 1
    store.close()


def test_a_folder_in_use_stops_the_start(tmp_path: Path) -> None:
    """Two Milvus Lite on one folder would spoil it: the second says so."""
    first = LocalMilvus(tmp_path)
    first.start()
    try:
        with pytest.raises(Stop, match="end the other process"):
            LocalMilvus(tmp_path).start()
    finally:
        first.stop(5)
