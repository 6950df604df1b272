"""The default models, made ready with a line of progress each."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lamplight_models import default_folder, ensure
from lamplight_models.progress import telling


def ensure_models() -> Path:
    """Fetch and convert what is missing; return the folder. Raises `NotReady`, which says what to do."""
    folder = default_folder(os.environ)
    with telling(sys.stderr) as tell:
        ensure(folder, tell=tell)
    return folder
