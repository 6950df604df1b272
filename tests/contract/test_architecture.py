"""The rooms' rules, read off the syntax trees: who names adapters, who does I/O, who reads the environment."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("ingest", "detect", "embed", "match", "alert", "console")
# Modules that put the parts of a service together, start it, or measure it.
# `api` is the face that gRPC calls; it speaks gRPC's own types.
DOORS = {"bootstrap", "__main__", "settings", "testing", "bench", "bench_server", "bench_cameras", "local_milvus"}
DOORS |= {"api"}
# What a bench runs is no part of the service, and is imported by nothing in it.
BENCHES = {"privacy_bench"}
# Reads what a secret's name stands for, from a folder or from the environment.
SECRETS = "secrets.py"
TECHNOLOGIES = {"grpc", "kafka", "aiohttp", "httpx", "socket", "ssl", "pymilvus", "milvus_lite", "obstore",
                "uvicorn", "fastapi", "subprocess", "requests", "urllib.request", "onnxruntime", "cel",
                "opening_hours"}  # fmt: skip
MAY = {
    # asks for what no adapter stands for: the loop of one process over files reads and demuxes them itself
    "ingest": {"av"},
    "detect": {"av", "cv2"},
}
PICTURES = {"av", "cv2", "PIL"}


def modules(service: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield a service's modules with their trees."""
    folder = ROOT / "services" / service / f"lamplight_{service}"
    for path in sorted(folder.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> set[str]:
    """Return the full names that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def names_room(name: str, room: str) -> bool:
    """Tell whether an imported name is of this room."""
    return name == room or name.startswith(f"{room}.")


def is_door(path: Path) -> bool:
    """Tell whether a module may name adapters and technologies."""
    return path.stem in DOORS or "adapters" in path.parts or not BENCHES.isdisjoint(path.parts)


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_doors_name_adapters(service: str) -> None:
    """Handlers and pure modules know ports, never the technology behind them."""
    room = f"lamplight_{service}.adapters"
    named = [
        path.name
        for path, tree in modules(service)
        if not is_door(path) and any(names_room(name, room) for name in imports(tree))
    ]
    assert named == []


@pytest.mark.parametrize("service", SERVICES)
def test_technologies_stay_in_adapters(service: str) -> None:
    """Handlers and pure modules do no I/O: none of them imports a client, a server or a runtime."""
    forbidden = TECHNOLOGIES | (PICTURES - MAY.get(service, set()))
    found = {
        (path.name, name)
        for path, tree in modules(service)
        if not is_door(path)
        for name in imports(tree)
        if any(names_room(name, technology) for technology in forbidden)
    }
    assert found == set()


@pytest.mark.parametrize("service", SERVICES)
def test_only_settings_read_the_environment(service: str) -> None:
    """Nothing behind the doors looks at the environment."""
    readers = [
        path.name
        for path, tree in modules(service)
        if path.stem not in DOORS
        and BENCHES.isdisjoint(path.parts)
        and path.name != SECRETS
        and any(isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"} for node in ast.walk(tree))
    ]
    assert readers == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_its_rooms(service: str) -> None:
    """Every service has the same rooms, its README and its tests."""
    folder = ROOT / "services" / service
    inside = f"lamplight_{service}"
    rooms = [f"{inside}/{name}" for name in ("bootstrap.py", "__main__.py", "settings.py", "adapters")]
    for wanted in ("pyproject.toml", "README.md", "tests", *rooms):
        assert (folder / wanted).exists(), wanted
