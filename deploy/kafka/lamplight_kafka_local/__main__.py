"""Run a broker until Ctrl-C: `python -m lamplight_kafka_local FOLDER`; with `--fetch` only fetch its jars."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from lamplight_kafka_local import JarError, JavaNotFoundError, KafkaFailedError, LocalKafka, fetch_jars
from lamplight_kafka_local.jars import default_cache

USAGE = "usage: python -m lamplight_kafka_local FOLDER | --fetch"


def main(arguments: list[str]) -> int:
    """Return 0 when all went well, 1 when the broker or its parts failed, 2 for a wrong command line."""
    if len(arguments) != 1:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        if arguments[0] == "--fetch":
            fetch_jars(default_cache(), print)
            return 0
        return _run(LocalKafka(Path(arguments[0])))
    except (JarError, JavaNotFoundError, KafkaFailedError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(kafka: LocalKafka) -> int:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    print(kafka.start(), flush=True)
    ended.wait()
    kafka.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
