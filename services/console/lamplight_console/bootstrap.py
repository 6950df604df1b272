"""Where the console's parts are put together; nothing else names an adapter."""

from __future__ import annotations

from collections.abc import Sequence

from lamplight_kit.audit import Auditor
from lamplight_kit.clock import SystemClock
from lamplight_kit.kafka.outbox import KafkaOutbox
from lamplight_kit.kafka.table import Table, Tables
from lamplight_kit.rpc import Tokens
from lamplight_kit.seal import KeyRing
from lamplight_kit.service import Component
from lamplight_kit.store import EvidenceStore

from lamplight_console.adapters.callers import Parts
from lamplight_console.adapters.http import build
from lamplight_console.adapters.kafka_alerts import RecentAlerts
from lamplight_console.adapters.web import Web
from lamplight_console.city import City
from lamplight_console.hub import Hub
from lamplight_console.model import AlertBook
from lamplight_console.settings import ConsoleSettings

_LISTED = ("rules", "situations")


def components(settings: ConsoleSettings) -> Sequence[Component]:
    """Return the parts of a console process, in the order in which they start."""
    clock, keys, hub, bus = SystemClock(), KeyRing(), Hub(), settings.bus()
    city = City(AlertBook(settings.history_alerts), hub, keys)
    shown = {
        "cameras": Table("cameras", city.on_camera),
        "camera-states": Table("camera-states", city.on_camera),
        **{name: Table(name) for name in _LISTED},
    }
    city.attach(shown)
    fed = [Table("alerts.current", city.on_alert), Table("keys", city.on_key)]
    outbox = KafkaOutbox(bus, "console", ["audit"])
    store = EvidenceStore(settings.store_url)
    auditor = Auditor(outbox, settings.replica, clock)
    parts = Parts(city, hub, Tokens.read(settings.tokens_file), store, keys, auditor, settings.namespace)
    return [
        outbox,
        Tables(bus, [*shown.values(), *fed]),
        RecentAlerts(bus, settings.history_hours, clock, city.on_alert),
        Web(build(parts), hub, settings.page_listen),
    ]
