"""What tests on real parts share: one Kafka for the whole run, and a namespace of its own for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from lamplight_kafka_local import LocalKafka


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
