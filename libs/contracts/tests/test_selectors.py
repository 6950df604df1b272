"""Which cameras a list of selectors means."""

from __future__ import annotations

import pytest
from lamplight_contracts.selectors import selects

CASES = [
    ([], True),
    (["canal-*"], True),
    (["canal-1"], False),
    (["label:underpass"], True),
    (["label:bridge"], False),
    (["canal-*", "!canal-12"], False),
    (["!label:underpass"], False),
    (["!label:bridge"], True),
    (["label:bridge", "canal-12"], True),
]


@pytest.mark.parametrize(("selectors", "expected"), CASES)
def test_selectors(selectors: list[str], expected: bool) -> None:
    """Any of the included, less the excluded; all where nothing is included."""
    assert selects(selectors, "canal-12", ["underpass"]) is expected
