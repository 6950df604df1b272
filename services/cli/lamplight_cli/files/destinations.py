"""destinations.yaml: `version` and whom to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lamplight.rule.v1 import rule_pb2
from lamplight_contracts.secrets import has_secret

from lamplight_cli.files.document import Document, Node, once

_KINDS = {
    name: rule_pb2.Destination.Kind.Value(f"KIND_{name.upper().replace('-', '_')}")
    for name in ("webhook", "mqtt", "ngsi-ld", "cap", "feed")
}


@dataclass(frozen=True)
class DestinationsFile:
    """The destinations of a file, in its order."""

    document: Document
    destinations: Sequence[rule_pb2.Destination]


def read_destinations(path: Path) -> DestinationsFile:
    """Read and check the whole file; raises `BadInput` with every mistake in it."""
    document = Document.read(path)
    top = document.root.fields(("version", "destinations"), ("version", "destinations"))
    if "version" in top:
        top["version"].whole(1, 1)
    nodes = top["destinations"].items("a list of destinations") if "destinations" in top else []
    found = [
        _destination(node.fields(("id", "kind", "address", "secret"), ("id", "kind", "address"))) for node in nodes
    ]
    once([(destination.id, node) for destination, node in zip(found, nodes, strict=True)], "destination")
    document.check()
    return DestinationsFile(document, found)


def _destination(found: Mapping[str, Node]) -> rule_pb2.Destination:
    kind = found["kind"].choice(tuple(_KINDS)) if "kind" in found else ""
    return rule_pb2.Destination(
        id=found["id"].identifier() if "id" in found else "",
        kind=_KINDS.get(kind, rule_pb2.Destination.KIND_UNSPECIFIED),
        address=_address(found["address"]) if "address" in found else "",
        secret=found["secret"].identifier() if "secret" in found else "",
    )


def _address(node: Node) -> str:
    address = node.text("a URL")
    if has_secret(address, whole=True):
        cure = "name a secret instead: `secret: …`"
        node.wrong("a URL without user, password and token", cure)
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        node.wrong("a URL", "mend it")
        return ""
    if address and not parts.scheme:
        node.wrong("a URL", "begin it with https:// or mqtts://, say")
    return address
