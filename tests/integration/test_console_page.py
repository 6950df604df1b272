"""The console on a real Kafka: REST, and the page in a real browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lamplight.camera.v1 import camera_pb2
from lamplight.key.v1 import key_pb2
from lamplight.seal.v1 import seal_pb2
from lamplight_kit.kafka.outbox import KafkaOutbox
from lamplight_kit.kafka.settings import BusSettings
from lamplight_kit.kafka.topics import create_topics
from lamplight_kit.kafka.types import Outgoing
from lamplight_kit.rpc import sha256_of
from lamplight_kit.seal import key_id_of, segments
from lamplight_kit.store import EvidenceStore
from waits import until

pytestmark = pytest.mark.integration

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TOKEN = "page-token"
Found = TypeVar("Found")


@dataclass
class Running:
    """A console that runs, and how to write what it reads."""

    page: str
    key: str
    put: Callable[[list[Outgoing]], None]


def event(revision: int, phase: str, key: str) -> Outgoing:
    """Make an alert's CloudEvent."""
    data = {
        "alert_id": "east/one",
        "revision": revision,
        "phase": phase,
        "rule_id": "standing",
        "camera_id": "canal-12",
        "camera_name": "Canal Road underpass",
        "severity": "warning",
        "summary": "A truck has stood in bus_lane for 20 s",
        "at": f"2026-01-01T10:00:0{revision}Z",
        "opened_at": "2026-01-01T10:00:00Z",
        "pictures": [{"key": key, "at": "2026-01-01T10:00:00Z"}],
        "labels": ["composite"],
    }
    body = {"specversion": "1.0", "id": f"east/one/{revision}", "source": "/x", "type": "t", "data": data}
    return Outgoing("alerts", "east/one", json.dumps(body).encode())


def sealed_picture(private: Ed25519PrivateKey) -> bytes:
    """Seal a small picture as the gate does."""
    import cv2
    import numpy as np

    jpeg = cv2.imencode(".jpg", np.full((90, 160, 3), 96, np.uint8))[1].tobytes()
    attestation = seal_pb2.Attestation(picture_sha256=segments.digest(jpeg)).SerializeToString()
    key_id = key_id_of(private.public_key().public_bytes_raw())
    seal = seal_pb2.Seal(attestation=attestation, key_id=key_id, signature=private.sign(attestation))
    return segments.insert(jpeg, seal.SerializeToString())


@pytest.fixture
def running(kafka: str, namespace: str, tmp_path: Path) -> Iterator[Running]:
    """Start a console as its own process, with a camera, a key and a picture there already."""
    bus = BusSettings(kafka, namespace, "test")
    create_topics(bus)
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key = f"{namespace}/7d/canal-12/2026-01-01/a.jpg"
    EvidenceStore(f"file://{tmp_path}/evidence").put(key, sealed_picture(private))
    outbox = KafkaOutbox(bus, "test", ["cameras", "camera-states", "keys", "alerts"])
    outbox.start()
    signing = key_pb2.SigningKey(key_id=key_id_of(public), replica="detect-0", public_key=public)
    camera = camera_pb2.Camera(id="canal-12", name="Canal Road underpass", district="east")
    outbox.put([Outgoing("keys", "detect-0", signing), Outgoing("cameras", "canal-12", camera)])
    tokens, ports = tmp_path / "tokens.yaml", tmp_path / "ports.json"
    tokens.write_text(f"- {{name: vera, role: viewer, token_sha256: {sha256_of(TOKEN)}}}\n")
    environment = {
        **os.environ,
        "LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "LAMPLIGHT_NAMESPACE": namespace,
        "LAMPLIGHT_REPLICA": "console-0",
        "LAMPLIGHT_STORE_URL": f"file://{tmp_path}/evidence",
        "LAMPLIGHT_TOKENS_FILE": str(tokens),
        "LAMPLIGHT_PORTS_FILE": str(ports),
    }
    process = subprocess.Popen([sys.executable, "-m", "lamplight_console"], env=environment)
    try:
        until(ports.exists, "the console's start")
        told = json.loads(ports.read_text())
        with httpx.Client(trust_env=False) as client:
            ready = f"http://127.0.0.1:{told['http']}/readyz"
            until(lambda: client.get(ready).status_code == 200, "readiness of the console")
        yield Running(f"http://127.0.0.1:{told['page']}", key, outbox.put)
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        outbox.stop(5)


def test_rest_shows_what_was_committed(running: Running) -> None:
    """An alert that is written is read over REST, then its resolution; its picture is served by its seal."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=running.page, headers=headers, trust_env=False) as client:
        running.put([event(1, "opened", running.key)])
        alerts = until(lambda: client.get("/api/v1/alerts?open_only=true").json()["alerts"], "an alert")
        assert alerts[0]["alert_id"] == "east/one"
        assert client.get(f"/api/v1/pictures/{running.key}").headers["content-type"] == "image/jpeg"
        running.put([event(2, "resolved", running.key)])
        until(lambda: client.get("/api/v1/alerts/east/one").json()["phase"] == "resolved", "its end")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
def test_the_page_follows_live(running: Running) -> None:
    """A person sees the camera's state, the alert open with its picture, and its resolution, without reloading."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--no-proxy-server", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{running.page}/#token={TOKEN}")
        page.wait_for_selector("#link.live")
        assert TOKEN not in page.url
        state = camera_pb2.CameraState(camera_id="canal-12", state=camera_pb2.CameraState.STATE_LIVE, since_ns=1)
        running.put([Outgoing("camera-states", "canal-12", state)])
        page.wait_for_selector(".camera.live")
        running.put([event(1, "opened", running.key)])
        page.wait_for_selector(".alert.open.warning img:not([hidden])")
        assert page.locator(".alert h3").inner_text() == "A truck has stood in bus_lane for 20 s"
        assert page.locator(".alert .composite").is_visible()
        page.click(".alert .picture")
        assert page.locator("#large img").is_visible()
        page.keyboard.press("Escape")
        running.put([event(2, "resolved", running.key)])
        page.wait_for_selector(".alert.ended")
        assert all(url.startswith((running.page, "blob:")) for url in asked)
        browser.close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
def test_the_page_says_who_may_not(running: Running) -> None:
    """Without a token the page says what to do, and shows nothing."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--no-proxy-server", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page()
        page.goto(running.page)
        page.wait_for_selector("#link.refused")
        assert "lamplight up" in page.locator("#link").inner_text()
        assert page.locator(".alert").count() == 0
        browser.close()
