"""Run a command that does not outlive whoever started it, in whatever way that one ends.

usage: python leash.py PARENT_PID COMMAND...

On Linux the kernel is asked to kill this process when its parent's starting thread ends (`PR_SET_PDEATHSIG`), and the
command takes this process's place, since the wish survives exec. Elsewhere this process stays and looks once a second.
A file of its own with standard imports only: it stands before every start.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: Sequence[str]) -> int:
    """Become the command, or run it and watch the parent; return the exit status."""
    parent_pid, command = int(arguments[0]), list(arguments[1:])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:  # it died before the wish was known
            return 1
        os.execv(command[0], command)  # noqa: S606 - the command is whoever started us' own
    return _watch(parent_pid, command)


def _watch(parent_pid: int, command: Sequence[str]) -> int:
    child = subprocess.Popen(command)  # noqa: S603 - as above
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: child.send_signal(number))
    while child.poll() is None:
        if os.getppid() != parent_pid:
            child.kill()
        time.sleep(1)
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
