"""The console's picture of the city: tables and alerts in, views and live events out."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BytesValue
from lamplight.camera.v1 import camera_pb2
from lamplight.key.v1 import key_pb2
from lamplight_kit.kafka.types import TableView
from lamplight_kit.seal import BadSeal, KeyRing

from lamplight_console.hub import Hub
from lamplight_console.model import Alert, AlertBook
from lamplight_console.views import camera_view, plain

_log = structlog.get_logger()


class City:
    """All that the page shows. Fed by the bus' threads, read by REST."""

    def __init__(self, book: AlertBook, hub: Hub, keys: KeyRing) -> None:
        """Keep alerts in `book`, tell changes to `hub`, gather the gates' keys in `keys`."""
        self._book = book
        self._hub = hub
        self._keys = keys
        self._lock = threading.Lock()
        self._tables: Mapping[str, TableView] = {}

    def attach(self, tables: Mapping[str, TableView]) -> None:
        """Take the tables `cameras`, `camera-states`, `rules` and `situations` to read from."""
        self._tables = tables

    def on_key(self, _replica: str, message: Message | None) -> None:
        """Take a gate's public key."""
        if isinstance(message, key_pb2.SigningKey):
            try:
                self._keys.add(message)
            except BadSeal as error:
                _log.warning("key refused", error=str(error))

    def on_camera(self, camera_id: str, _message: Message | None) -> None:
        """Tell the pages that a camera, or its state, has changed."""
        shown = self.camera(camera_id)
        self._hub.tell("camera", shown if shown is not None else {"id": camera_id, "removed": True})

    def on_alert(self, _alert_id: str, message: Message | None) -> None:
        """Take one CloudEvent of `alerts` or `alerts.current`; what is no alert is logged and passed over."""
        if not isinstance(message, BytesValue):
            return
        try:
            alert = json.loads(message.value)["data"]
            with self._lock:
                is_new = self._book.tell(alert)
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("alert passed over", error=f"{type(error).__name__}: {error}")
            return
        if is_new:
            self._hub.tell("alert", alert)

    def alerts(self, *, open_only: bool, camera_id: str, limit: int) -> Sequence[Alert]:
        """Return alerts, open ones first, newest first."""
        with self._lock:
            return self._book.newest(open_only=open_only, camera_id=camera_id, limit=limit)

    def alert(self, alert_id: str) -> Alert | None:
        """Return one alert, or None."""
        with self._lock:
            return self._book.get(alert_id)

    def camera(self, camera_id: str) -> dict[str, Any] | None:
        """Return one camera with its state, or None."""
        camera = self._tables["cameras"].get(camera_id)
        state = self._tables["camera-states"].get(camera_id)
        if not isinstance(camera, camera_pb2.Camera):
            return None
        return camera_view(camera, state if isinstance(state, camera_pb2.CameraState) else None)

    def cameras(self) -> list[dict[str, Any]]:
        """Return all cameras with their states, by id."""
        shown = (self.camera(camera_id) for camera_id in sorted(self._tables["cameras"].items()))
        return [camera for camera in shown if camera is not None]

    def listed(self, table: str) -> list[dict[str, Any]]:
        """Return all of `rules` or `situations`, by id."""
        return [plain(message) for _, message in sorted(self._tables[table].items().items())]
