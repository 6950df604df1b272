"""The demo: `lamplight-demo [--for SECONDS]`, or `make demo`. Cameras in, alerts out, a page to look at."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Template

from lamplight_demo.cameras import http, rtsp
from lamplight_demo.render import Shows, render
from lamplight_demo.story import Tally, opening
from lamplight_demo.system import WATCH, Demo, run


def main() -> int:
    """Run until Ctrl-C or the end of `--for`; return 0 where the system came up and ended in order."""
    parser = argparse.ArgumentParser(prog="lamplight-demo", description=__doc__)
    parser.add_argument("--for", dest="for_s", type=float, metavar="SECONDS", help="end by itself, so long after ready")
    parser.add_argument("--data", type=Path, default=Path(".lamplight/demo"), help="folder (default .lamplight/demo)")
    given = parser.parse_args()
    for asked_to_end in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(asked_to_end, signal.default_int_handler)
    demo = Demo(given.data, Tally(), say)
    status = 0  # Ctrl-C before the system runs is an end in order too
    say("\n".join(opening()))
    with contextlib.suppress(KeyboardInterrupt):
        shows = render(given.data / "drawn", lambda line: say(f"demo: {line}"))
        with cameras(shows, given.data) as watch:
            status = run(demo, watch, given.for_s)
    say("\n".join(demo.tally.summary()))
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


if __name__ == "__main__":
    sys.exit(main())
