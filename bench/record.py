"""Keep what a run of the long proofs showed: `record.py soak FILE.xml` (pytest's JUnit file) and `record.py figures`.

`soak` adds a row a test to bench/soak.tsv; `figures` reads benches' JSON lines from stdin into bench/figures.jsonl.
"""

from __future__ import annotations

import json
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

HERE = Path(__file__).parent
HEADER = "date\tmachine\ttest\tseconds\tresult\n"


def main() -> int:
    """Do what the first argument says."""
    what, *rest = sys.argv[1:] or [""]
    if what == "soak" and rest:
        soak(Path(rest[0]))
    elif what == "figures":
        figures()
    else:
        print(f"{what!r} found, soak FILE.xml or figures expected", file=sys.stderr)
        return 2
    return 0


def soak(junit: Path) -> None:
    """Add a row for each test of pytest's JUnit file."""
    kept = HERE / "soak.tsv"
    rows = [] if kept.exists() else [HEADER]
    for case in ET.parse(junit).iter("testcase"):  # noqa: S314 - written by our own pytest a moment ago
        bad = next((child.tag for child in case if child.tag in {"failure", "error", "skipped"}), "passed")
        fields = [_today(), _machine(), str(case.get("name")), f"{float(case.get('time', 0)):.0f}", bad]
        rows.append("\t".join(fields) + "\n")
    with kept.open("a", encoding="utf-8") as file:
        file.writelines(rows)


def figures() -> None:
    """Add every JSON line of stdin with today's date."""
    with (HERE / "figures.jsonl").open("a", encoding="utf-8") as file:
        for line in filter(str.strip, sys.stdin):
            file.write(json.dumps({"date": _today(), **json.loads(line)}) + "\n")


def _today() -> str:
    return datetime.now(tz=UTC).date().isoformat()


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}"


if __name__ == "__main__":
    sys.exit(main())
