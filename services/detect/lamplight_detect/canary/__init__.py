"""The canary: pictures with known people, sent through detect's own path before any other and again and again."""

from lamplight_detect.canary.check import Canary
from lamplight_detect.canary.expected import Expected, Person, Portrait, expected
from lamplight_detect.canary.recorder import Recorder

__all__ = ["Canary", "Expected", "Person", "Portrait", "Recorder", "expected"]
