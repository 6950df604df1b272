"""What tests on real parts share: one Kafka for the whole run, and a namespace of its own for each test."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from lamplight_kafka_local import LocalKafka

sys.path.insert(0, str(Path(__file__).parent))  # for `waits`: importlib mode alone does not find it


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Give the address of a real broker; `LAMPLIGHT_TEST_KAFKA` names one that runs already."""
    given = os.environ.get("LAMPLIGHT_TEST_KAFKA")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="lamplight-kafka-"))
    broker = LocalKafka(folder)
    try:
        yield broker.start()
    finally:
        broker.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[LocalKafka]:
    """Give a broker that a test may stop, kill and start again; not yet started."""
    broker = LocalKafka(tmp_path / "kafka")
    try:
        yield broker
    finally:
        broker.kill()


@pytest.fixture
def namespace() -> str:
    """Give a namespace that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture(scope="session")
def counting() -> ModuleType:
    """Give the module of the small stage with state that the bus is proven with."""
    spec = importlib.util.spec_from_file_location("counting", Path(__file__).parent / "chaos" / "counting.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
