"""The demo: `lamplight-demo [--for SECONDS]`, or `make demo`. Cameras in, alerts out, a page to look at."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from string import Template
from typing import IO

from lamplight_demo.cameras import http, rtsp
from lamplight_demo.render import Shows, render, situation_examples
from lamplight_demo.story import Tally, opening

WATCH = Path(__file__).parent / "watch"
READY = "up: ready"
_LAMPLIGHT = (sys.executable, "-m", "lamplight_cli")
_DRAIN_S = 60.0


def main() -> int:
    """Run until Ctrl-C or the end of `--for`; return 0 where the system came up and ended in order."""
    parser = argparse.ArgumentParser(prog="lamplight-demo", description=__doc__)
    parser.add_argument("--for", dest="for_s", type=float, metavar="SECONDS", help="end by itself, so long after ready")
    parser.add_argument("--data", type=Path, default=Path(".lamplight/demo"), help="folder (default .lamplight/demo)")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    say("\n".join(opening()))
    shows = render(given.data / "drawn", lambda line: say(f"demo: {line}"))
    tally = Tally()
    with cameras(shows, given.data) as watch:
        status = run(watch, given.data, given.for_s, tally)
    say("\n".join(tally.summary()))
    return status


def say(line: str) -> None:
    """Print a line for people, at once."""
    print(line, flush=True)


@contextlib.contextmanager
def cameras(shows: Shows, folder: Path) -> Iterator[Path]:
    """Serve the cameras on free ports of this machine; yield the cameras file that names them."""
    with rtsp.serve(shows.replays) as replayed, http.serve(shows.scripts) as snapshots:
        sources = {name: replayed.url(name) for name in shows.replays}
        sources |= {name: snapshots.url(name) for name in shows.scripts}
        sources |= {name: str(path.absolute()) for name, path in shows.files.items()}
        filled = Template((WATCH / "cameras.yaml").read_text(encoding="utf-8")).substitute(
            {name.replace("-", "_"): source for name, source in sources.items()}
        )
        path = folder / "cameras.yaml"
        path.write_text(filled, encoding="utf-8")
        yield path


def run(watch: Path, folder: Path, for_s: float | None, tally: Tally) -> int:
    """Run `lamplight up` on the cameras; once it is ready enrol the situation and follow the alerts."""
    ending = () if for_s is None else ("--for", str(for_s))
    files = ("--cameras", str(watch), "--rules", str(WATCH / "rules.yaml"))
    up = subprocess.Popen(  # noqa: S603 - our own command
        [*_LAMPLIGHT, "up", *files, "--data", str(folder), *ending], stderr=subprocess.PIPE, text=True
    )
    with contextlib.ExitStack() as others:
        try:
            follow(up.stderr, lambda line: _on_line(line, folder, tally, others))
            return up.wait()
        except KeyboardInterrupt:
            up.send_signal(signal.SIGINT)
            follow(up.stderr, say)
            return up.wait(_DRAIN_S)
        finally:
            if up.poll() is None:
                up.terminate()
                up.wait(_DRAIN_S)


def follow(lines: IO[str] | None, take: Callable[[str], None]) -> None:
    """Hand each line to `take` until the stream ends."""
    for line in lines or ():
        take(line.rstrip("\n"))


def enrol(folder: Path) -> Sequence[str]:
    """Enrol the situation `flooded-road` from its examples, through the gate as any other; return what was said."""
    situation = folder / "situations" / "flooded-road"
    for kind, pictures in situation_examples().items():
        (situation / kind).mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(pictures):
            (situation / kind / f"{kind}-{number}.jpg").write_bytes(picture)
    (situation / "situation.yaml").write_bytes((WATCH / "situation.yaml").read_bytes())
    done = subprocess.run(  # noqa: S603 - our own command
        [*_LAMPLIGHT, "situation", "add", str(situation.parent), "--data", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout + done.stderr).splitlines()


def _on_line(line: str, folder: Path, tally: Tally, others: contextlib.ExitStack) -> None:
    say(line)
    if line.startswith(READY):
        tail = others.enter_context(_alerts(folder))
        threading.Thread(target=_tell, args=(tail, tally), name="demo-alerts", daemon=True).start()
        threading.Thread(target=_enrol, args=(folder,), name="demo-enrol", daemon=True).start()


def _tell(tail: subprocess.Popen[str], tally: Tally) -> None:
    follow(tail.stdout, lambda line: say(tally.tell(json.loads(line))))


def _enrol(folder: Path) -> None:
    for line in enrol(folder):
        say(f"demo: {line}")


@contextlib.contextmanager
def _alerts(folder: Path) -> Iterator[subprocess.Popen[str]]:
    tail = subprocess.Popen(  # noqa: S603 - our own command
        [*_LAMPLIGHT, "alerts", "tail", "--json", "--since", "60", "--data", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield tail
    finally:
        tail.terminate()
        tail.wait(_DRAIN_S)


if __name__ == "__main__":
    sys.exit(main())
