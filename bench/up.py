"""How long `lamplight up` takes from a warm cache, and what all its processes hold when idle.

Run it with the project's Python: `.venv/bin/python bench/up.py [--json]`. Memory is the proportional set size (shared
pages counted once) of the command and everything below it, ten seconds after all is ready.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time

import psutil

IDLE_S = 10.0
KEEP_S = 20.0
READY_LIMIT_S, MEMORY_LIMIT_GIB = 20.0, 4.0


def main() -> int:
    """Measure once; return 1 where the system never became ready."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    as_json = parser.parse_args().json
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lamplight_cli", "up", "--data", folder, "--for", str(KEEP_S)]
        began_s = time.monotonic()
        running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own command
        ready_s = next((time.monotonic() - began_s for line in running.stderr or () if "up: ready" in line), None)
        memory_gib = _memory_gib(running.pid) if ready_s is not None else 0.0
        running.communicate()
    if ready_s is None:
        print("lamplight up never became ready", file=sys.stderr)
        return 1
    measures = [
        _measure("ready after the command", ready_s, "s", READY_LIMIT_S),
        _measure("memory of all processes, idle", memory_gib, "GiB", MEMORY_LIMIT_GIB),
    ]
    machine = {"cores": psutil.cpu_count(), "load_1m": psutil.getloadavg()[0], "platform": platform.platform()}
    if as_json:
        print(json.dumps({"bench": "up", "machine": machine, "measures": measures}))
    else:
        for one in measures:
            print(f"{one['name']}: {one['value']} {one['unit']} (limit {one['limit']})")
    return 0


def _memory_gib(pid: int) -> float:
    time.sleep(IDLE_S)
    root = psutil.Process(pid)
    return sum(process.memory_full_info().pss for process in [root, *root.children(recursive=True)]) / 2**30


def _measure(name: str, value: float, unit: str, limit: float) -> dict[str, object]:
    return {"name": name, "value": round(value, 2), "unit": unit, "limit": limit, "limit_is": "most", "ratio": None}


if __name__ == "__main__":
    sys.exit(main())
