"""Alerts as CloudEvents 1.0 in structured JSON, https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md."""

from __future__ import annotations

import json

from google.protobuf.json_format import MessageToDict
from lamplight.alert.v1 import alert_pb2
from lamplight_kit.kafka.types import HEADER_MAJOR, HEADER_TYPE, MAJOR

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"


def event_type(alert: alert_pb2.Alert) -> str:
    """Return `lamplight.alert.<phase>.v1`."""
    return f"lamplight.alert.{alert.phase}.v{MAJOR}"


def event(namespace: str, alert: alert_pb2.Alert) -> dict[str, object]:
    """Return the event that tells `alert`, its data the whole alert by the contract's own names."""
    data = MessageToDict(alert, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    if "subject" in data:
        # The one enum of an alert, in the same word as the alert's own `over`: subscribers see no enum's name.
        data["subject"]["over"] = data["over"]
    return {
        "specversion": "1.0",
        "id": f"{alert.alert_id}/{alert.revision}",
        "source": f"/{namespace}/alert",
        "type": event_type(alert),
        "subject": alert.alert_id,
        "time": data["at"],
        "datacontenttype": "application/json",
        "data": data,
    }


def encoded(namespace: str, alert: alert_pb2.Alert) -> bytes:
    """Return the event as JSON bytes, the same for the same alert."""
    return json.dumps(event(namespace, alert), ensure_ascii=False, separators=(",", ":")).encode()


def headers(alert: alert_pb2.Alert) -> dict[str, str]:
    """Return the record's headers, as the Kafka binding of structured events says, with the bus' own."""
    return {"content-type": CONTENT_TYPE, HEADER_TYPE: event_type(alert), HEADER_MAJOR: MAJOR}
