"""Keeping processes running, with toy processes: started again, drained, and never outliving whoever started them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from lamplight_cli.adapters.readiness import probe
from lamplight_cli.apply import Wishes
from lamplight_cli.files.rules import read_rules
from lamplight_cli.running import up as ups
from lamplight_cli.running.board import PlainBoard
from lamplight_cli.running.folder import AlreadyRunningError, Folder, NotRunningError
from lamplight_cli.running.process import KeptProcess, Specification, State, last_error, pause_s
from lamplight_kit.clock import ManualClock
from lamplight_kit.errors import BadInput, Problem, SettingsError
from lamplight_kit.rpc import Role, Tokens
from lamplight_kit.settings import KafkaSettings

TOY = """
import http.server, json, os, signal, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"ready": False, "unready": {"part": "not yet"}}).encode()
        self.send_response(503 if os.path.exists(sys.argv[2]) else 200)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
signal.signal(signal.SIGTERM, (lambda *_: None) if "stubborn" in sys.argv else (lambda *_: sys.exit(0)))
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
PARENT = """
import os, signal, sys, time
from pathlib import Path
from lamplight_cli.adapters.readiness import probe
from lamplight_cli.apply import Wishes
from lamplight_cli.files.rules import read_rules
from lamplight_cli.running import up as ups
from lamplight_cli.running.process import KeptProcess, Specification
from lamplight_kit.clock import SystemClock
toy = [sys.executable, "-c", "import time; time.sleep(600)"]
process = KeptProcess(Specification("toy", toy, {}, Path(sys.argv[1]), 1), SystemClock(), probe)
process.start()
print(process.state.pid, flush=True)
time.sleep(600)
"""


def until(holds: Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait for a condition."""
    end_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end_s, "the condition did not come to hold"
        time.sleep(0.02)


@pytest.fixture
def port(tmp_path: Path) -> int:
    """Give a free port."""
    return Folder(tmp_path).ports(["toy"])["toy"]


@pytest.fixture
def make(tmp_path: Path, port: int) -> Iterator[Callable[..., tuple[KeptProcess, ManualClock]]]:
    """Give what makes a kept toy process, ended with the test."""
    made: list[KeptProcess] = []

    def one(*arguments: str, program: str = TOY) -> tuple[KeptProcess, ManualClock]:
        command = [sys.executable, "-c", program, str(port), str(tmp_path / "unready"), *arguments]
        clock = ManualClock()
        made.append(KeptProcess(Specification("toy", command, {}, tmp_path / "toy.log", port), clock, probe))
        return made[-1], clock

    yield one
    for process in made:
        process.wait_ended(0.1)


def test_a_process_is_starting_then_ready_then_says_why_not(
    make: Callable[..., tuple[KeptProcess, ManualClock]], tmp_path: Path
) -> None:
    """The state follows /readyz."""
    process, _ = make()
    process.start()
    assert process.state.word == "starting"
    until(lambda: process.look().word == "ready")
    (tmp_path / "unready").touch()
    assert process.look() == State("toy", "unready", "part: not yet", process.state.pid)


def test_a_killed_process_is_started_again_after_a_pause(
    make: Callable[..., tuple[KeptProcess, ManualClock]],
) -> None:
    """It is counted, it says so, it waits, and it comes back with another process id."""
    process, clock = make()
    process.start()
    until(lambda: process.look().word == "ready")
    first_pid = process.state.pid
    os.kill(first_pid, signal.SIGKILL)
    until(lambda: process.look().word == "waiting")
    assert "status -9; starts again in 0.5 s" in process.state.why
    clock.turn(0.4)
    assert process.look().word == "waiting"
    clock.turn(0.2)
    until(lambda: process.look().word == "ready")
    assert (process.state.restarts, process.state.pid != first_pid) == (1, True)


def test_pauses_grow_to_half_a_minute() -> None:
    """A process that cannot start is not started hundreds of times."""
    assert [pause_s(deaths) for deaths in (1, 2, 3, 4, 20)] == [0.5, 1, 2, 4, 30]


def test_a_process_that_cannot_start_says_its_own_last_error(
    make: Callable[..., tuple[KeptProcess, ManualClock]],
) -> None:
    """The log's last error stands in the line of state."""
    line = json.dumps({"level": "error", "event": "cannot start", "error": "setting x missing"})
    process, _ = make(program=f"import sys; print({line!r}, file=sys.stderr); sys.exit(2)")
    process.start()
    until(lambda: process.look().word == "waiting")
    assert process.state.why == "ended with status 2; starts again in 0.5 s: setting x missing"


def test_a_process_that_says_three_times_that_it_cannot_start_has_failed(
    make: Callable[..., tuple[KeptProcess, ManualClock]],
) -> None:
    """It is not started for ever: whoever looks is told why, in the words of its last try."""
    process, clock = make(program="import sys; print('setting x missing', file=sys.stderr); sys.exit(2)")
    process.start()
    for _ in range(2):
        until(lambda: process.look().word == "waiting")
        clock.turn(10)
        process.look()
    until(lambda: process.look().word == "failed")
    assert process.state.why == "setting x missing"
    clock.turn(1000)
    assert process.look().word == "failed"


def test_a_killed_process_is_not_told_of_by_what_another_said_before(
    make: Callable[..., tuple[KeptProcess, ManualClock]], tmp_path: Path
) -> None:
    """The log goes on from earlier runs; only what this one said explains its death."""
    (tmp_path / "toy.log").write_text("an old line\n", encoding="utf-8")
    process, _ = make(program="import os; os.kill(os.getpid(), 9)")
    process.start()
    until(lambda: process.look().word == "waiting")
    assert process.state.why == "ended with status -9; starts again in 0.5 s"


def test_a_process_that_does_not_drain_is_killed(make: Callable[..., tuple[KeptProcess, ManualClock]]) -> None:
    """Ending has an end."""
    process, _ = make("stubborn")
    process.start()
    until(lambda: process.look().word == "ready")
    pid = process.state.pid
    process.ask_to_end()
    process.wait_ended(0.3)
    assert not psutil.pid_exists(pid)
    assert "killed" in process.state.why


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_dies_with_whoever_started_it(tmp_path: Path, number: signal.Signals) -> None:
    """Even where that one was killed and could not say goodbye."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "toy.log")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    os.kill(parent.pid, number)
    parent.wait(10)
    parent.stdout.close()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_folder_is_held_once(tmp_path: Path) -> None:
    """The second is told who holds it."""
    with Folder(tmp_path).held():
        with pytest.raises(AlreadyRunningError, match=f"in use by process {os.getpid()}"), Folder(tmp_path).held():
            pass
        Folder(tmp_path).write_state({"pid": 1})
        assert Folder(tmp_path).read_state() == {"pid": 1}
    with pytest.raises(NotRunningError, match="no running `lamplight up`"):
        Folder(tmp_path).read_state()


def test_the_state_of_a_system_that_was_killed_is_not_believed(tmp_path: Path) -> None:
    """A state file that nobody holds is stale."""
    Folder(tmp_path).write_state({"pid": 1})
    with pytest.raises(NotRunningError):
        Folder(tmp_path).read_state()


def test_tokens_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    """A second start uses the same ones, and no file with a token or its hash is open to others."""
    first = Folder(tmp_path).tokens()
    assert Folder(tmp_path).tokens() == first
    assert len(set(first)) == 2
    for name in ("token", "service-token", "tokens.yaml"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    assert first[0] not in (tmp_path / "tokens.yaml").read_text(encoding="utf-8")


def test_callers_that_a_user_added_stay(tmp_path: Path) -> None:
    """A viewer of one's own survives the next start; a file that is no list is named."""
    folder = Folder(tmp_path)
    folder.tokens()
    path = tmp_path / "tokens.yaml"
    path.write_text(path.read_text() + f"- name: wall\n  role: viewer\n  token_sha256: {'ab' * 32}\n", encoding="utf-8")
    folder.tokens()
    folder.tokens()
    assert {caller.name: caller.role for _, caller in Tokens.read(path).callers} == {
        "local": Role.ADMIN,
        "services": Role.ADMIN,
        "wall": Role.VIEWER,
    }
    path.write_text("wall: viewer\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="a list of callers expected"):
        folder.tokens()


def test_ports_are_remembered_and_differ(tmp_path: Path) -> None:
    """A restarted service is found where it was."""
    first = Folder(tmp_path).ports(["a", "b", "c"])
    assert len(set(first.values())) == 3
    again = Folder(tmp_path).ports(["a", "b", "c", "d"])
    assert {name: again[name] for name in first} == first


def test_a_plain_board_says_what_changes_and_no_more(tmp_path: Path) -> None:
    """A log of a running system has a line a change, and no colours."""
    path = tmp_path / "out"
    with path.open("w", encoding="utf-8") as out, PlainBoard(out, ManualClock()) as board:
        for state in (State("x", "ready", pid=5), State("x", "ready", pid=5), State("x", "waiting", "why", 0, 2)):
            board.show([state])
    assert path.read_text(encoding="utf-8") == "x        ready    pid 5\nx        waiting  2 restarts, why\n"


def test_the_last_error_of_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """No log is no crash."""
    assert last_error(tmp_path / "none.log") == ""


def test_what_cannot_be_applied_is_said_and_leaves_the_system_running(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A rule that only alert can refuse is no reason to end a system that may have run for months."""
    path = tmp_path / "rules.yaml"
    path.write_text("version: 1\nrules: []\n", encoding="utf-8")
    problem = Problem("rules[0].deliver[0]", "road-desk", "a destination that was applied", "apply it first")

    def refuse(*_: object) -> None:
        raise BadInput((problem,))

    monkeypatch.setattr(ups, "apply", refuse)
    monkeypatch.setattr(ups, "where_of", lambda _folder: None)
    applying = ups._Applying(Wishes(rules=read_rules(path)), Folder(tmp_path))
    said: list[str] = []
    until(lambda: said.extend(applying.look({"alert": "ready"})) or bool(said))
    assert said[0] == str(problem)
    assert "not all was applied" in said[1]
    assert applying.status == 2
    assert applying.look({"alert": "ready"}) == ()


def test_up_takes_security_and_partitions_of_its_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The topics are made as the services expect them, by a broker that may ask for a password."""
    settings = tmp_path / "settings.yaml"
    settings.write_text("camera_partitions: 6\nworkers: 2\n", encoding="utf-8")
    monkeypatch.setenv("LAMPLIGHT_SETTINGS", str(settings))
    monkeypatch.setenv("LAMPLIGHT_KAFKA_SECURITY", '{"security_protocol": "SASL_SSL"}')
    bus = KafkaSettings.among(namespace="six", replica="up", kafka_bootstrap_servers="").bus()
    assert (bus.namespace, bus.partitions["camera"], bus.security) == ("six", 6, {"security_protocol": "SASL_SSL"})
    monkeypatch.setenv("LAMPLIGHT_KAFKA_SECURITY", "{bad")
    with pytest.raises(SettingsError, match="kafka_security"):
        KafkaSettings.among(namespace="six", replica="up", kafka_bootstrap_servers="")
