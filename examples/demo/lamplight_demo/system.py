"""The whole system as a child of the demo: `lamplight up`, and beside it the enrolment and the alerts."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lamplight_demo.render import situation_examples
from lamplight_demo.story import Tally

WATCH = Path(__file__).parent / "watch"
READY = "up: ready"
DRAINING = "up: draining"
SITUATION_ID = "flooded-road"
_LAMPLIGHT = (sys.executable, "-m", "lamplight_cli")
_DRAIN_S = 60.0
_TAIL_S = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Demo:
    """What a run of the demo needs: its folder, what has been told so far, where to say what happens.

    `ending` is set once the system drains: what fails from then on fails for that.
    """

    folder: Path
    tally: Tally
    say: Say
    ending: threading.Event = field(default_factory=threading.Event)


def run(demo: Demo, cameras: Path, for_s: float | None) -> int:
    """Run `lamplight up` until it ends, or until Ctrl-C; return its exit status. No child outlives this call."""
    ending = () if for_s is None else ("--for", str(for_s))
    files = ("--cameras", str(cameras), "--rules", str(WATCH / "rules.yaml"))
    with contextlib.ExitStack() as children:
        up = children.enter_context(
            child(["up", *files, "--data", str(demo.folder), *ending], _DRAIN_S, hears_ctrl_c=True)
        )
        try:
            for line in lines_of(up):
                demo.say(line)
                if line.startswith(READY):
                    _when_ready(demo, children)
                elif line.startswith(DRAINING):
                    demo.ending.set()
            demo.ending.set()
        except KeyboardInterrupt:
            demo.ending.set()
            up.send_signal(signal.SIGINT)  # a terminal's Ctrl-C reached it too; a second one does no harm
            for line in lines_of(up):
                demo.say(line)
        return up.wait(_DRAIN_S)


@contextlib.contextmanager
def child(
    arguments: Iterable[str], wait_s: float = _TAIL_S, *, hears_ctrl_c: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Run a `lamplight` command with one stream of output; end it with the block, by force after `wait_s`."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*_LAMPLIGHT, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=None if hears_ctrl_c else 0,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(wait_s)
            process.kill()
            process.wait()


def lines_of(process: subprocess.Popen[str]) -> Iterator[str]:
    """Yield each line that the process says, until it ends."""
    for line in process.stdout or ():
        yield line.rstrip("\n")


def write_situation(folder: Path) -> int:
    """Write the situation's pictures and file into `folder`, as a user would keep them; return how many pictures."""
    examples = situation_examples()
    for kind, pictures in examples.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(pictures):
            (folder / kind / f"{kind}-{number}.jpg").write_bytes(picture)
    (folder / "situation.yaml").write_bytes((WATCH / "situation.yaml").read_bytes())
    return sum(len(pictures) for pictures in examples.values())


def alert_of(line: str) -> dict[str, object] | None:
    """Return the alert that a line of `alerts tail --json` tells, None for any other line."""
    with contextlib.suppress(ValueError):
        told = json.loads(line)
        if isinstance(told, dict) and told.get("kind") == "alert":
            return told
    return None


def _when_ready(demo: Demo, children: contextlib.ExitStack) -> None:
    """Follow the alerts and enrol the situation, each in a thread that ends with its child."""
    data = ("--data", str(demo.folder))
    situation = demo.folder / "situations" / SITUATION_ID
    count = write_situation(situation)
    demo.say(f"demo: enrolling {SITUATION_ID} from {count} pictures, each through the privacy gate")
    tail = children.enter_context(child(["alerts", "tail", "--json", "--since", "60", *data]))
    enrol = children.enter_context(child(["situation", "add", str(situation.parent), *data]))
    for work in (lambda: _tell(demo, tail), lambda: _enrolled(demo, enrol)):
        threading.Thread(target=work, name="demo-follow", daemon=True).start()


def _tell(demo: Demo, tail: subprocess.Popen[str]) -> None:
    for line in lines_of(tail):
        if (alert := alert_of(line)) is not None:
            demo.say(demo.tally.tell(alert))


def _enrolled(demo: Demo, enrol: subprocess.Popen[str]) -> None:
    said = list(lines_of(enrol))
    status = enrol.wait()
    is_ended = status < 0 or (status > 0 and demo.ending.is_set())  # by the demo's end, not by a fault
    if not is_ended:
        for line in said if status else said[-1:]:  # each picture's line is wanted only where one failed
            demo.say(f"demo: {line}")
