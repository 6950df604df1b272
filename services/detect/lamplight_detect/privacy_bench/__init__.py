"""`lamplight bench privacy DIR`: who of the people labelled in a folder of pictures the gate does not mask."""

from lamplight_detect.privacy_bench.measure import run

__all__ = ["run"]
