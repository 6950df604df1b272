"""A parser under Atheris: atheris_parsers.py NAME CORPUS [libFuzzer's options]; run by `make soak`."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))
with atheris.instrument_imports(include=["lamplight_ingest"]):
    from parsers import PARSERS


def main() -> None:
    """Fuzz until the runs are up; a crash or a broken bound ends the process with an error."""
    name, *rest = sys.argv[1:]
    atheris.Setup([sys.argv[0], *rest], PARSERS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
