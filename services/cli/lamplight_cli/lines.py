"""The lines that scripts rely on (docs/design.md, *The hand*): JSON objects of observations, matches and alerts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lamplight.match.v1 import match_pb2
from lamplight.observation.v1 import observation_pb2

_NS = 1_000_000_000


def observation_line(seen: observation_pb2.Seen, first_ns: int) -> Mapping[str, Any]:
    """Return what is known of a camera at a moment; `first_ns` is when its source's first picture was taken."""
    return {
        "kind": "observation",
        "camera_id": seen.camera_id,
        "at_s": at_s(seen.at_ns, first_ns),
        "at": iso(seen.at_ns),
        "frame_hw": [seen.frame_height_px, seen.frame_width_px],
        "counts": dict(sorted(seen.counts.by_class.items())) if seen.HasField("counts") else None,
        "zones": {zone.zone_id: _counts(zone) for zone in seen.zones},
        "lines": {},
        "things": [_thing(thing) for thing in seen.things],
        "health": [observation_pb2.Health.Name(each).removeprefix("HEALTH_").lower() for each in seen.health],
        "picture": seen.picture_key or None,
        "changed": seen.changed,
        "gate_closed": seen.gate_closed or None,
    }


def match_line(matches: match_pb2.Matches, match: match_pb2.Match, first_ns: int) -> Mapping[str, Any]:
    """Return what a region resembles."""
    source = matches.source
    return {
        "kind": "match",
        "camera_id": source.camera_id,
        "at_s": at_s(source.at_ns, first_ns),
        "at": iso(source.at_ns),
        "situation_id": match.situation_id,
        "score": round(match.score, 4),
        "margin": round(match.margin, 4),
        "threshold": round(match.threshold, 4),
        "reference_id": match.reference_id,
        "zones": list(source.zone_ids),
    }


def alert_line(event: bytes, first_ns: int | None) -> Mapping[str, Any]:
    """Return what is told; `event` is a CloudEvent's JSON. `first_ns` is None where there is no first picture: live."""
    alert = json.loads(event)["data"]
    at_ns = _ns(alert["at"])
    pictures = alert.get("pictures") or []
    return {
        "kind": "alert",
        "phase": alert["phase"],
        "alert_id": alert["alert_id"],
        "rule_id": alert["rule_id"],
        "camera_id": alert["camera_id"],
        "at_s": None if first_ns is None else at_s(at_ns, first_ns),
        "at": alert["at"],
        "over": alert["over"],
        "subject": alert.get("subject"),
        "severity": alert["severity"],
        "summary": alert["summary"],
        "picture": pictures[-1]["key"] if pictures else None,
        "revision": alert["revision"],
        "reason": alert.get("reason", ""),
    }


def alert_words(line: Mapping[str, Any]) -> str:
    """Return an alert's line for a person."""
    when = line["at"] if line["at_s"] is None else f"{line['at_s']:8.2f} s"
    picture = f"  [{line['picture']}]" if line["picture"] else ""
    why = f" ({line['reason']})" if line["phase"] == "updated" and line["reason"] else ""
    return f"{when}  {line['phase']:12} {line['severity']:8} {line['camera_id']}: {line['summary']}{why}{picture}"


def match_words(line: Mapping[str, Any]) -> str:
    """Return a match's line for a person."""
    near = f"score {line['score']:.3f} of {line['threshold']:.3f}, margin {line['margin']:.3f}"
    return f"{line['at_s']:8.2f} s  match        {line['camera_id']}: {line['situation_id']}, {near}"


def summary_words(line: Mapping[str, Any]) -> str:
    """Return a source's last line for a person."""
    went = f"failed: {line['error']}" if line["error"] else "well"
    counts = f"{line['frames']} pictures, {line['dropped']} dropped, {line['seconds']:g} s"
    return f"{line['camera_id']}: {counts}; {went}"


def observation_words(line: Mapping[str, Any]) -> str:
    """Return an observation for a person, the same words where there is nothing new to say."""
    if line["counts"] is None:
        return f"{line['camera_id']}: unknown, the gate is closed ({line['gate_closed']})"
    counts = ", ".join(f"{number} {name}" for name, number in line["counts"].items()) or "nothing"
    standing = Counter(f"{each['class_name']}{_within(each['zones'])}" for each in line["things"] if each["place_id"])
    stands = "".join(f"; standing: {number} {what}" for what, number in sorted(standing.items()))
    health = f"; {', '.join(line['health'])}" if line["health"] else ""
    return f"{line['camera_id']}: {counts}{stands}{health}"


def at_s(at_ns: int, first_ns: int) -> float:
    """Return seconds since the source's first picture."""
    return round((at_ns - first_ns) / _NS, 3)


def iso(at_ns: int) -> str:
    """Return a time as RFC 3339 in UTC, with microseconds."""
    seconds, rest = divmod(at_ns, _NS)
    moment = datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=rest // 1_000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _ns(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp()) * _NS + moment.microsecond * 1_000


def _within(zones: Sequence[str]) -> str:
    return f" in {', '.join(zones)}" if zones else ""


def _counts(zone: observation_pb2.ZoneCounts) -> Mapping[str, int] | None:
    return dict(sorted(zone.counts.by_class.items())) if zone.HasField("counts") else None


def _thing(thing: observation_pb2.Thing) -> Mapping[str, Any]:
    box = thing.box
    return {
        "class_name": thing.class_name,
        "box_xyxy": [round(edge, 1) for edge in (box.left_px, box.top_px, box.right_px, box.bottom_px)],
        "score": round(thing.score, 4),
        "still_s": thing.still_s,
        "attended": thing.attended if thing.HasField("attended") else None,
        "zones": list(thing.zone_ids),
        "place_id": thing.place_id or None,
    }
