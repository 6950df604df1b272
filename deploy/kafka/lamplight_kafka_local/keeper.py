"""Stands between the broker and whoever started it, so that no Java outlives its parent.

usage: python -m lamplight_kafka_local.keeper LOG COMMAND...

Prints the command's process id, then waits. When its standard input ends (the parent ended, in whatever way), the
command is asked to stop, and killed 10 s later. On Linux the kernel also kills the command should the keeper die: it
was started from this process's only thread, which a `PR_SET_PDEATHSIG` in the caller's own threads could not promise.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1  # linux/prctl.h
GRACE_S = 10.0


def _die_with_keeper() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _stop_at_end_of_input(child: subprocess.Popen[bytes]) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()


def main() -> int:
    """Run the command of the arguments; return its exit status."""
    log, *command = sys.argv[1:]
    with open(log, "ab") as out:  # noqa: PTH123 - the fewest imports: this process only waits
        child = subprocess.Popen(  # noqa: S603 - the broker, from LocalKafka
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            preexec_fn=_die_with_keeper,  # noqa: PLW1509 - this process has one thread yet
        )
    print(child.pid, flush=True)  # noqa: T201 - read by LocalKafka
    threading.Thread(target=_stop_at_end_of_input, args=(child,), daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main())
