"""Each service installs its own part only: walks what the installed packages say they need."""

from __future__ import annotations

from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement

HEAVY = {"onnxruntime", "opencv-python-headless", "av", "pymilvus", "milvus-lite", "fastapi", "onnx", "grpcio-tools"}
ALLOWED = {
    "lamplight-ingest": {"av"},
    "lamplight-detect": {"onnxruntime", "opencv-python-headless", "av"},
    "lamplight-embed": {"onnxruntime", "opencv-python-headless"},
    "lamplight-match": {"pymilvus", "milvus-lite"},
    "lamplight-alert": set(),
    "lamplight-console": {"fastapi"},
}
OWN = {"lamplight-contracts", "lamplight-kit"}


def closure(name: str) -> set[str]:
    """Return all that installing `name` brings, itself included; extras are followed."""
    found: set[tuple[str, str]] = set()
    waiting = [(name, "")]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        for text in distribution(one[0]).requires or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": one[1]}):
                waiting += [(needed.name, extra) for extra in (needed.extras or {""})] + [(needed.name, "")]
    return {package for package, _ in found}


@pytest.mark.parametrize("service", sorted(ALLOWED))
def test_a_service_installs_its_own_part_only(service: str) -> None:
    """Nothing heavy comes along but what the service works with, and no other service does."""
    brought = closure(service)
    assert brought & HEAVY == ALLOWED[service]
    assert {package for package in brought if package.startswith("lamplight-")} == {service} | OWN
