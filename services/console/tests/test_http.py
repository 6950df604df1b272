"""REST: who may ask, what is answered, and that no picture leaves without its seal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.testclient import TestClient
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BytesValue
from lamplight.camera.v1 import camera_pb2
from lamplight.key.v1 import key_pb2
from lamplight.seal.v1 import seal_pb2
from lamplight_console.adapters.callers import Parts
from lamplight_console.adapters.http import build
from lamplight_console.city import City
from lamplight_console.hub import Hub
from lamplight_console.model import AlertBook
from lamplight_kit.audit import Auditor
from lamplight_kit.clock import ManualClock
from lamplight_kit.kafka.types import Outgoing
from lamplight_kit.rpc import Caller, Role, Tokens, sha256_of
from lamplight_kit.seal import KeyRing, key_id_of, segments
from lamplight_kit.store import EvidenceStore

JPEG = b"\xff\xd8\xff\xdb\x00\x04ab\xff\xd9"
GOOD = {"Authorization": "Bearer v"}
CAMERA = camera_pb2.Camera(id="canal-12", name="Canal Road", place=camera_pb2.GeoPlace(lon=-0.09, lat=51.5))
STATE = camera_pb2.CameraState(camera_id="canal-12", state=camera_pb2.CameraState.STATE_LIVE, since_ns=1)


@dataclass
class Table:
    """A table that stands still."""

    rows: dict[str, Message] = field(default_factory=dict)

    def get(self, key: str) -> Message | None:
        return self.rows.get(key)

    def items(self) -> dict[str, Message]:
        return dict(self.rows)

    def wait_ready(self, timeout_s: float) -> bool:
        return True


@dataclass
class Outbox:
    """Keeps what was put."""

    put_records: list[Outgoing] = field(default_factory=list)

    def put(self, records: Any) -> None:
        self.put_records.extend(records)


@dataclass
class Door:
    """A running application and what stands behind it."""

    client: TestClient
    city: City
    store: EvidenceStore
    outbox: Outbox
    private: Ed25519PrivateKey

    def seal(self) -> bytes:
        """Seal a picture as the gate does."""
        attested = seal_pb2.Attestation(picture_sha256=segments.digest(JPEG), filled_holes=3)
        attestation = attested.SerializeToString()
        key_id = key_id_of(self.private.public_key().public_bytes_raw())
        seal = seal_pb2.Seal(attestation=attestation, key_id=key_id, signature=self.private.sign(attestation))
        return segments.insert(JPEG, seal.SerializeToString())


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """An application with one camera and one viewer."""
    keys, hub, outbox = KeyRing(), Hub(), Outbox()
    city = City(AlertBook(100), hub, keys)
    empty = Table()
    cameras, states = Table({"canal-12": CAMERA}), Table({"canal-12": STATE})
    city.attach({"cameras": cameras, "camera-states": states, "rules": empty, "situations": empty})
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    city.on_key("detect-0", key_pb2.SigningKey(key_id=key_id_of(public), replica="detect-0", public_key=public))
    store = EvidenceStore(f"file://{tmp_path}")
    tokens = Tokens(((sha256_of("v"), Caller("vera", Role.VIEWER)),))
    parts = Parts(city, hub, tokens, store, keys, Auditor(outbox, "console-0", ManualClock()), "city")
    with TestClient(build(parts)) as client:
        yield Door(client, city, store, outbox, private)


def told(revision: int, phase: str) -> BytesValue:
    """Make a CloudEvent as it stands on the topic."""
    data = {"alert_id": "east/1", "revision": revision, "phase": phase, "camera_id": "canal-12", "at": "2026-01-01"}
    return BytesValue(value=json.dumps({"specversion": "1.0", "data": data}).encode())


@pytest.mark.parametrize(
    "path",
    ["me", "alerts", "alerts/east/1", "cameras", "cameras.geojson", "rules", "situations", "events", "pictures/city/x"],
)
def test_strangers_are_told_nothing(door: Door, path: str) -> None:
    """Every route wants a known token."""
    assert door.client.get(f"/api/v1/{path}").status_code == 401
    assert door.client.get(f"/api/v1/{path}", headers={"Authorization": "Bearer x"}).status_code == 401


def test_alerts_and_cameras(door: Door) -> None:
    """Alerts come as they were last told, cameras with their state, places as GeoJSON."""
    door.city.on_alert("east/1", told(1, "opened"))
    door.city.on_alert("east/1", told(2, "resolved"))
    door.city.on_alert("east/1", BytesValue(value=b"nonsense"))
    get = lambda path: door.client.get(f"/api/v1/{path}", headers=GOOD)  # noqa: E731 - four uses in one test
    assert [alert["phase"] for alert in get("alerts").json()["alerts"]] == ["resolved"]
    assert get("alerts?open_only=true").json()["alerts"] == []
    assert get("alerts/east/1").json()["revision"] == 2
    assert get("alerts/east/2").status_code == 404
    assert get("cameras").json()["cameras"][0]["state"]["state"] == "live"
    assert get("cameras.geojson").json()["features"][0]["geometry"]["coordinates"] == [-0.09, 51.5]
    assert get("me").json() == {"name": "vera", "role": "viewer"}


def test_pictures_leave_sealed_or_not_at_all(door: Door) -> None:
    """A sealed picture is served and the look audited; an unsealed or changed one never."""
    door.store.put("city/7d/a/2026-01-01/good.jpg", door.seal())
    door.store.put("city/7d/a/2026-01-01/bare.jpg", JPEG)
    door.store.put("city/7d/a/2026-01-01/changed.jpg", door.seal() + b"x")
    get = lambda name: door.client.get(f"/api/v1/pictures/city/7d/a/2026-01-01/{name}", headers=GOOD)  # noqa: E731
    good = get("good.jpg")
    assert (good.content, good.headers["X-Lamplight-Filled"]) == (door.seal(), "3")
    assert [get("bare.jpg").status_code, get("changed.jpg").status_code, get("none.jpg").status_code] == [403, 403, 404]
    assert JPEG not in get("bare.jpg").content
    assert [record.message.subject_ids[0] for record in door.outbox.put_records] == ["city/7d/a/2026-01-01/good.jpg"]


def test_other_folders_are_closed(door: Door) -> None:
    """Nothing outside the namespace can be asked for."""
    for key in ("other/7d/x.jpg", "city/../other/x.jpg", "city/%2e%2e/other/x.jpg"):
        assert door.client.get(f"/api/v1/pictures/{key}", headers=GOOD).status_code == 404


def test_the_page_needs_nothing_from_outside(door: Door) -> None:
    """The page and all it names come from here, under a policy that lets nothing else in."""
    page = door.client.get("/")
    assert "Lamplight" in page.text
    assert "http" not in page.text.replace("http-equiv", "")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for name in ("app.js", "style.css", "lamp.svg"):
        assert door.client.get(f"/{name}").status_code == 200


def test_openapi_lists_every_route(door: Door) -> None:
    """The REST interface describes itself."""
    paths = door.client.get("/openapi.json").json()["paths"]
    assert {"/api/v1/alerts", "/api/v1/cameras", "/api/v1/pictures/{key}", "/api/v1/events"} <= set(paths)
