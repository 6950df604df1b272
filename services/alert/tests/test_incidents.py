"""What is told of conditions: alerts as CloudEvents, each change once."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from google.protobuf.descriptor import Descriptor
from lamplight.alert.v1 import alert_pb2
from lamplight.rule.v1 import rule_pb2
from lamplight_alert.handlers.incidents import IncidentsHandler
from lamplight_kit.kafka.types import Outgoing, Record

# The required and optional attributes of CloudEvents 1.0 (spec.md, sections 3.1 and 3.2), as its JSON schema says them.
CLOUD_EVENT = {
    "type": "object",
    "required": ["id", "source", "specversion", "type"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1, "format": "uri-reference"},
        "specversion": {"const": "1.0"},
        "type": {"type": "string", "pattern": r"^lamplight\.alert\.(opened|updated|resolved)\.v1$"},
        "subject": {"type": "string", "minLength": 1},
        "time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"},
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object", "required": ["alert_id", "revision", "phase", "rule_id", "camera_id", "summary"]},
    },
    "propertyNames": {"pattern": "^[a-z0-9]+$"},
    "additionalProperties": False,
}


@pytest.fixture
def handler() -> IncidentsHandler:
    """Give a handler that holds nothing."""
    return IncidentsHandler("lamplight")


def condition(change: int, at_s: float, film: Any, condition_id: str = "c1", **fields: Any) -> Record:
    """Return a condition's change as it is read from the topic."""
    given: dict[str, Any] = {"picture_key": f"picture-{at_s:g}", **fields}
    message = alert_pb2.Condition(
        condition_id=condition_id,
        change=alert_pb2.Condition.Change.ValueType(change),
        rule_id="standing",
        rule_name="Standing",
        camera_id="canal-12",
        camera_name="Canal Road underpass",
        district="east",
        subject=alert_pb2.Subject(over=rule_pb2.OVER_THING, id="place-1", class_name="car", zone_ids=["bus_lane"]),
        since_ns=film.at(at_s),
        at_ns=film.at(at_s),
        severity=rule_pb2.SEVERITY_WARNING,
        summary="A car has stood." if change == 1 else "",
        picture_at_ns=film.at(at_s),
        labels=["underpass"],
        deliver=["desk"],
        **given,
    )
    return Record("conditions", 7, 0, "east", message)


def of_topic(topic: str, written: Any) -> list[Outgoing]:
    """Return what is written to `topic`."""
    return [out for out in written if out.topic == topic]


def test_a_life(handler: IncidentsHandler, film: Any) -> None:
    """Opened, stale, resumed, resolved: four revisions of one alert, each a CloudEvent with the whole alert."""
    written = handler.handle(
        [
            condition(1, 20, film),
            condition(3, 30, film, reason="the camera is stalled", picture_key="picture-20"),
            condition(4, 40, film, reason="evidence is back"),
            condition(2, 50, film, reason="seen gone for 10 s"),
        ]
    )
    events = [film.event_of(out) for out in of_topic("alerts", written)]
    for event in events:
        jsonschema.validate(event, CLOUD_EVENT)
        assert event["source"] == "/lamplight/alert"
        assert event["subject"] == event["data"]["alert_id"] == "east/c1"
        assert event["time"] == event["data"]["at"]
    assert [event["id"] for event in events] == ["east/c1/1", "east/c1/2", "east/c1/3", "east/c1/4"]
    assert [event["data"]["phase"] for event in events] == ["opened", "updated", "updated", "resolved"]
    assert [event["data"]["is_stale"] for event in events] == [False, True, False, False]
    assert [event["data"]["reason"] for event in events][1:] == [
        "the camera is stalled",
        "evidence is back",
        "seen gone for 10 s",
    ]
    last = events[-1]["data"]
    assert [event["data"]["summary"] for event in events[:3]] == ["A car has stood."] * 3
    assert last["summary"] == (
        "Standing: a car in bus_lane on Canal Road underpass, over after 30 s in all; seen gone for 10 s."
    )
    assert [picture["key"] for picture in last["pictures"]] == ["picture-20", "picture-40", "picture-50"]
    assert last["resolved_at"] > last["opened_at"]
    assert "resolved_at" not in events[0]["data"]
    assert (last["severity"], last["over"], last["labels"], last["deliver"]) == (
        "warning",
        "thing",
        ["underpass"],
        ["desk"],
    )


def enums_of(message: Descriptor, path: str = "") -> list[str]:
    """Return the paths of all enum fields of a message and of those that it holds."""
    found = [f"{path}{field.name}" for field in message.fields if field.enum_type is not None]
    held = [(field.name, field.message_type) for field in message.fields if field.message_type is not None]
    return [*found, *(enum for name, inner in held for enum in enums_of(inner, f"{path}{name}."))]


def test_enums_are_told_as_the_words_that_users_write(handler: IncidentsHandler, film: Any) -> None:
    """What an alert is about is `thing` wherever it is said; a new enum must be put into words as well."""
    assert enums_of(alert_pb2.Alert.DESCRIPTOR) == ["subject.over"]
    (out,) = of_topic("alerts", handler.handle([condition(1, 20, film)]))
    data = film.event_of(out)["data"]
    assert (data["over"], data["subject"]["over"]) == ("thing", "thing")


def test_what_is_open_now(handler: IncidentsHandler, film: Any) -> None:
    """State and what is open now are removed on resolve; all lies in the district's own partition."""
    opened = handler.handle([condition(1, 20, film)])
    assert {out.topic: out.message is None for out in opened} == {
        "incidents": False,
        "alerts": False,
        "alerts.current": False,
    }
    resolved = handler.handle([condition(2, 30, film)])
    assert {out.topic: out.message is None for out in resolved} == {
        "incidents": True,
        "alerts": False,
        "alerts.current": True,
    }
    assert {out.partition for out in [*opened, *resolved]} == {7}
    assert {out.key for out in [*opened, *resolved]} == {"east/c1"}


def test_headers(handler: IncidentsHandler, film: Any) -> None:
    """The record's headers say what it is without its value being read."""
    (out,) = of_topic("alerts", handler.handle([condition(1, 20, film)]))
    assert out.headers == {
        "content-type": "application/cloudevents+json; charset=UTF-8",
        "type": "lamplight.alert.opened.v1",
        "major": "1",
    }


def test_told_twice_is_told_once(handler: IncidentsHandler, film: Any) -> None:
    """A condition that comes again, or a change of what is not open, tells nothing."""
    records = [condition(1, 20, film), condition(2, 30, film)]
    assert len(of_topic("alerts", handler.handle([records[0], records[0]]))) == 1
    assert len(of_topic("alerts", handler.handle([records[1], records[1]]))) == 1
    assert not handler.handle([condition(3, 40, film), condition(4, 41, film)])


def test_restored_goes_on(handler: IncidentsHandler, film: Any) -> None:
    """A member that takes the partition over counts on from the state topic."""
    state = of_topic("incidents", handler.handle([condition(1, 20, film)]))
    other = IncidentsHandler("lamplight")
    other.restore(
        7, [Record("incidents", 7, 0, out.key, out.message) for out in state if not isinstance(out.message, bytes)]
    )
    (out,) = of_topic("alerts", other.handle([condition(2, 30, film)]))
    assert film.event_of(out)["id"] == "east/c1/2"
    handler.forget(7)
    assert not handler.handle([condition(2, 30, film)])


def test_pictures_are_bounded(handler: IncidentsHandler, film: Any) -> None:
    """The first picture and the newest are kept, so that an alert never outgrows its topic."""
    handler.handle([condition(1, 0, film)])
    for at_s in range(1, 40):
        last = handler.handle([condition(3 + at_s % 2, at_s, film)])
    pictures = film.event_of(of_topic("alerts", last)[0])["data"]["pictures"]
    assert [pictures[0]["key"], pictures[-1]["key"]] == ["picture-0", "picture-39"]
    assert len(pictures) == 8


def test_no_revision_is_older_than_the_one_before(handler: IncidentsHandler, film: Any) -> None:
    """Evidence that a tick ran ahead of resumes the alert, at a time that does not go back."""
    opened, stale, resumed = 1, 3, 4
    records = [condition(opened, 0, film), condition(stale, 20, film), condition(resumed, 8, film)]
    told = [film.event_of(out) for out in of_topic("alerts", handler.handle(records))]
    assert [one["data"]["revision"] for one in told] == [1, 2, 3]
    assert told[2]["time"] == told[1]["time"]
