"""Many cameras at once, by the command that a user types, on a real broker: told first, done once, finished later."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ingest_world import TOKENS, Detect, Seen, Start, Worker, serving
from lamplight_kit.kafka import BusSettings
from waits import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
Lamplight = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def worker(start: Start) -> Iterator[Worker]:
    """A worker that holds every partition."""
    with serving(Detect()) as address:
        made = start("ingest-0", address)
        until(made.ready)
        yield made


@pytest.fixture
def lamplight(worker: Worker, bus: BusSettings, tmp_path: Path) -> Iterator[Lamplight]:
    """Start `lamplight …`; what is left of it is ended."""
    running: list[subprocess.Popen[str]] = []
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LAMPLIGHT_")},
        "LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS": bus.bootstrap_servers,
        "LAMPLIGHT_INGEST_ADDRESS": f"127.0.0.1:{worker.ports['grpc']}",
        "LAMPLIGHT_TOKEN": TOKENS["admin"],
    }

    def go(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "lamplight_cli", *arguments]
        pipe = subprocess.PIPE
        running.append(
            subprocess.Popen(command, env=environment, cwd=tmp_path, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        )
        return running[-1]

    yield go
    for process in running:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str], answer: str = "") -> tuple[int, list[Mapping[str, Any]], str]:
    """Return exit status, lines and errors of a command that was asked for JSON."""
    out, errors = process.communicate(answer, timeout=240)
    return process.returncode, [json.loads(line) for line in out.splitlines()], errors


def table(path: Path, count: int, **changed: str) -> Path:
    """Write a table of cameras that no file answers for, `changed` by id."""
    rows = (f"cam-{i:05d},{path.parent}/none.mp4,{changed.get(f'cam_{i:05d}', 'east')}" for i in range(count))
    path.write_text("\n".join(["id,source,district", *rows]) + "\n", encoding="utf-8")
    return path


def test_a_table_is_applied_changed_pruned_and_finished(lamplight: Lamplight, seen: Seen, tmp_path: Path) -> None:
    """What changes is told before it does, what is so already is left alone, and what was cut off is finished."""
    cameras = table(tmp_path / "cameras.csv", 450)
    status, lines, _ = said(lamplight("camera", "apply", str(cameras), "--dry-run", "--json"))
    assert (status, lines[-1]["added"], lines[-1]["applied"]) == (0, 450, False)
    assert seen.cameras.items() == {}

    process = lamplight("camera", "apply", str(cameras), "--json")
    until(lambda: seen.cameras.items() or None)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    status, lines, _ = said(lamplight("camera", "apply", str(cameras), "--json"))
    assert (status, lines[-1]["kind"], lines[-1]["applied"]) == (0, "apply", True)
    assert {line["version"] for line in lines[:-1]} == {1}
    assert len(seen.cameras.items()) == 450

    fewer = table(tmp_path / "cameras.csv", 440, cam_00007="west")
    status, lines, _ = said(lamplight("camera", "apply", str(fewer), "--json"))
    assert lines[-1] == {
        "kind": "apply", "added": 0, "changed": 1, "unchanged": 439, "removed": 0, "applied": True
    }  # fmt: skip
    (changed,) = [line for line in lines[:-1] if line["change"] == "changed"]
    assert (changed["id"], changed["fields"], changed["version"]) == ("cam-00007", ["district"], 2)

    status, _, errors = said(lamplight("camera", "apply", str(fewer), "--prune", "--json"), "n\n")
    assert "Remove 10 cameras" in errors
    assert (status, len(seen.cameras.items())) == (130, 450)
    status, lines, _ = said(lamplight("camera", "apply", str(fewer), "--prune", "--yes", "--json"))
    assert (status, lines[-1]["removed"]) == (0, 10)
    until(lambda: len(seen.cameras.items()) == 440 or None)

    exported = lamplight("camera", "list", "--geojson").communicate(timeout=60)[0]
    (tmp_path / "back.geojson").write_text(exported, encoding="utf-8")
    status, lines, _ = said(lamplight("camera", "apply", "back.geojson", "--prune", "--json"))
    assert (status, lines[-1]["unchanged"], lines[-1]["removed"]) == (0, 440, 0)


def test_a_wrong_camera_keeps_all_of_them_out(lamplight: Lamplight, seen: Seen, tmp_path: Path) -> None:
    """What only ingest can tell is told at the user's line and column too."""
    path = tmp_path / "cameras.csv"
    path.write_text("id,source\na,rtsp://cam.example/1\nb,rtsp://169.254.169.254/1\n", encoding="utf-8")
    process = lamplight("camera", "apply", str(path))
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert "cameras.csv:3: column source: 'rtsp://169.254.169.254/1' found" in errors
    assert seen.cameras.items() == {}


@pytest.mark.soak
def test_five_thousand_cameras_are_applied_within_a_minute(lamplight: Lamplight, seen: Seen, tmp_path: Path) -> None:
    """The time that it takes is printed."""
    cameras = table(tmp_path / "cameras.csv", 5_000)
    for told in ("added", "unchanged"):
        began_s = time.monotonic()
        status, lines, errors = said(lamplight("camera", "apply", str(cameras), "--json"))
        took_s = time.monotonic() - began_s
        assert (status, lines[-1][told]) == (0, 5_000), errors
        print(f"5,000 cameras {told}: {took_s:.1f} s")  # noqa: T201 - the figure of the documents
        assert took_s < 60
    assert len(seen.cameras.items()) == 5_000
