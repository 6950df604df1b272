"""What REST shows of messages."""

from __future__ import annotations

from lamplight.camera.v1 import camera_pb2
from lamplight.rule.v1 import rule_pb2
from lamplight.situation.v1 import situation_pb2
from lamplight_console.views import plain


def test_enums_are_the_words_that_users_write() -> None:
    """Fields hold `warning` and `keyframes`, as the files do, wherever in a message they stand; texts stay."""
    rule = rule_pb2.Rule(id="OVER_THING", over=rule_pb2.OVER_THING, severity=rule_pb2.SEVERITY_WARNING, deliver=["d"])
    assert plain(rule) == {"id": "OVER_THING", "over": "thing", "severity": "warning", "deliver": ["d"]}
    sampling = camera_pb2.Sampling(pictures=camera_pb2.Sampling.PICTURES_KEYFRAMES, max_gap_s=5)
    camera = camera_pb2.Camera(id="c", sampling=sampling, zones=[camera_pb2.Zone(id="z")])
    assert plain(camera) == {"id": "c", "sampling": {"pictures": "keyframes", "max_gap_s": 5}, "zones": [{"id": "z"}]}
    assert plain(situation_pb2.Situation(state=situation_pb2.Situation.STATE_READY)) == {"state": "ready"}
    kind = rule_pb2.Destination.KIND_NGSI_LD
    assert plain(rule_pb2.Destination(kind=kind)) == {"kind": "ngsi-ld"}
