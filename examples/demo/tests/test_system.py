"""The demo's children are followed line by line, and none outlives the demo."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from lamplight_demo import system
from lamplight_demo.__main__ import cameras
from lamplight_demo.cameras.http import Script, Step
from lamplight_demo.render import Shows, situation_examples
from lamplight_demo.story import CAMERAS, Tally
from lamplight_demo.system import Demo

ALERT = '{"kind":"alert","camera_id":"canal-road","phase":"opened","at":"2026-05-08T10:40:02Z","severity":"info","summary":"Wet."}'  # fmt: skip  # noqa: E501 - one line on the wire
FAKE = f"""
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: (print("up: draining", flush=True), sys.exit(0)))
command = sys.argv[1]
if command == "up":
    print("up: ready, 1 s after the processes were started", flush=True)
    time.sleep(2)
elif command == "alerts":
    print("no JSON", flush=True)
    print({ALERT!r}, flush=True)
    time.sleep(600)
elif command == "situation":
    print("picture 1 of 10", flush=True)
    print("flooded-road: ready", flush=True)
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program in the place of `lamplight` that says what it says."""
    program = tmp_path / "fake.py"
    program.write_text(FAKE, encoding="utf-8")
    monkeypatch.setattr(system, "_LAMPLIGHT", (sys.executable, str(program)))


@pytest.mark.usefixtures("fake")
def test_a_run_enrols_follows_the_alerts_and_ends_with_the_system(tmp_path: Path) -> None:
    """Once ready, the situation is enrolled and alerts are told; the endless tail ends with `up`."""
    said: list[str] = []
    demo = Demo(tmp_path, Tally(), said.append)
    assert system.run(demo, tmp_path / "cameras.yaml", for_s=1) == 0
    assert "demo: flooded-road: ready" in said
    assert not any("picture 1 of 10" in line for line in said)
    assert any("opened" in line and "canal-road" in line for line in said)
    assert demo.tally.counts["canal-road", "opened"] == 1
    written = sorted(path.read_bytes() for path in (tmp_path / "situations" / "flooded-road").glob("*/*.jpg"))
    assert written == sorted(one for pictures in situation_examples().values() for one in pictures)


@pytest.mark.parametrize(("first", "is_told"), [("up: draining", False), ("up: still here", True)])
def test_an_enrolment_that_fails_is_told_unless_the_system_drains(
    first: str, is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error while draining would read as a fault of the demo."""
    failed = tmp_path / "failed"
    program = tmp_path / "fake.py"
    text = f"""
import pathlib, sys, time
command, go, told = sys.argv[1], pathlib.Path({str(tmp_path / "go")!r}), pathlib.Path({str(tmp_path / "told")!r})
failed = pathlib.Path({str(failed)!r})
def until(path):
    while not path.exists():
        time.sleep(0.01)
if command == "up":
    print("up: ready", flush=True)
    print({first!r}, flush=True)
    until(failed)
    until(told)
elif command == "situation":
    until(go)
    print("error: detect: no answer", flush=True)
    failed.touch()
    sys.exit(1)
"""
    program.write_text(text, encoding="utf-8")
    monkeypatch.setattr(system, "_LAMPLIGHT", (sys.executable, str(program)))
    said: list[str] = []
    heard = threading.Event()
    demo = Demo(tmp_path, Tally(), said.append)

    def follow() -> None:
        while first not in said:
            heard.wait(0.01)
        if is_told or demo.ending.wait(10):
            (tmp_path / "go").touch()
        while is_told and not any("no answer" in line for line in said):
            heard.wait(0.01)
        (tmp_path / "told").touch()

    thread = threading.Thread(target=follow)
    thread.start()
    assert system.run(demo, tmp_path / "cameras.yaml", for_s=1) == 0
    thread.join(10)
    assert any("no answer" in line for line in said) is is_told


@pytest.mark.usefixtures("fake")
def test_an_interrupt_drains_the_system_and_is_no_failure(tmp_path: Path) -> None:
    """Ctrl-C reaches the system, whose last words are still said."""
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith(system.READY):
            raise KeyboardInterrupt

    assert system.run(Demo(tmp_path, Tally(), say), tmp_path / "cameras.yaml", for_s=None) == 0
    assert said[-1] == "up: draining"


def test_a_child_that_will_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that takes no notice of the signal is killed."""
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    monkeypatch.setattr(system, "_LAMPLIGHT", (sys.executable, "-c", stubborn))
    with system.child([], wait_s=0.1) as process:
        assert next(system.lines_of(process)) == "1"
    assert process.returncode == -9


@pytest.mark.parametrize("line", ["", "no JSON", "[1]", '{"kind":"match"}'])
def test_a_line_that_is_no_alert_is_passed_over(line: str) -> None:
    """Whatever else is said beside the alerts does not end the demo."""
    assert system.alert_of(line) is None


def test_the_cameras_file_names_addresses_that_answer(tmp_path: Path) -> None:
    """No place for an address is left open, and each is on this machine."""
    scripts = {name: Script((Step(b"jpeg", 1.0),)) for name in CAMERAS}
    with cameras(Shows({}, {}, scripts), tmp_path) as path:
        text = path.read_text(encoding="utf-8")
    assert "${" not in text
    assert text.count("http://127.0.0.1:") == len(CAMERAS)
