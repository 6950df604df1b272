"""Run a Milvus of one's own: `python -m lamplight_match.local_milvus --data-dir D --port N`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lamplight_kit import log
from lamplight_kit.errors import LamplightError
from lamplight_kit.service import run

from lamplight_match.adapters.local_milvus import LocalMilvus
from lamplight_match.settings import LocalMilvusSettings


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM; settings come from the environment, what is on the command line stands over them."""
    parser = argparse.ArgumentParser(description="Milvus Lite, shared over TCP.")
    parser.add_argument("--data-dir", type=Path, help="folder of the data, else LAMPLIGHT_DATA_DIR")
    parser.add_argument("--port", type=int, help="port on 127.0.0.1, else LAMPLIGHT_MILVUS_LISTEN")
    given = parser.parse_args(arguments)
    try:
        settings = LocalMilvusSettings.load()
        log.configure("milvus", settings.log_level)
        listen = settings.milvus_listen if given.port is None else f"127.0.0.1:{given.port}"
        milvus = LocalMilvus(given.data_dir or settings.data_dir, listen)
    except LamplightError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return run("milvus", [milvus], settings.http_listen, settings.ports_file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
