"""onnxruntime, the one import of it: told to report nothing to its maker, which its wheels do unless told before.

From 1.31 on they hold Microsoft's telemetry client, which writes a session id into the temporary folder as soon as the
module is imported, and knows an address to send to. Nothing here may call home.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]
