"""Checking a situation whole, before anything changes: every problem is found, so that it is mended once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lamplight.situation.v1 import situation_pb2
from lamplight_kit.errors import Problem

ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
REFERENCE_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_SELECTOR = re.compile(r"!?(label:[^\s,]{1,63}|[a-z0-9*][a-z0-9_*-]{0,62})")
_MAX_REFERENCES = 200
_MAX_TEXT = 2_000
_ID_WORDS = "a-z, 0-9, _ and -, at most 63, starting with a letter or digit"


def problems_in(situation: situation_pb2.Situation) -> tuple[Problem, ...]:
    """Return everything that is wrong with a situation to be enrolled; empty where it can be."""
    return (*_texts(situation), *_scope(situation), *_references(situation), *_threshold(situation))


def _texts(situation: situation_pb2.Situation) -> Iterator[Problem]:
    if not ID.fullmatch(situation.id):
        yield Problem("id", situation.id, _ID_WORDS, "rename it")
    for path, text in (("name", situation.name), ("description", situation.description)):
        if len(text) > _MAX_TEXT:
            yield Problem(path, f"{len(text)} characters", f"at most {_MAX_TEXT}", "shorten it")


def _scope(situation: situation_pb2.Situation) -> Iterator[Problem]:
    for number, selector in enumerate(situation.cameras):
        if not _SELECTOR.fullmatch(selector):
            cure = "write it as canal-12, canal-*, label:underpass or !canal-9"
            yield Problem(f"cameras[{number}]", selector, "a camera's id with *, label:x, or one after !", cure)
    for number, zone_id in enumerate(situation.zone_ids):
        if not ID.fullmatch(zone_id):
            yield Problem(f"zones[{number}]", zone_id, _ID_WORDS, "use the id that the camera's file gives the zone")


def _references(situation: situation_pb2.Situation) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, reference in enumerate(situation.references):
        path, name = f"references[{number}].reference_id", reference.reference_id
        if not REFERENCE_ID.fullmatch(name):
            yield Problem(path, name, "a-z, 0-9, _, . and -, at most 63", "rename the picture")
        if name in seen:
            yield Problem(path, name, "each id once", "rename one of the pictures, also across examples and counter")
        seen.add(name)
    examples = sum(not reference.is_counter_example for reference in situation.references)
    if examples == 0:
        yield Problem("references", "no example", "at least 2 examples", "add pictures of the situation")
    if len(situation.references) > _MAX_REFERENCES:
        found = str(len(situation.references))
        yield Problem("references", found, f"at most {_MAX_REFERENCES}", "keep the ones that differ most")


def _threshold(situation: situation_pb2.Situation) -> Iterator[Problem]:
    if situation.HasField("threshold") and not 0 < situation.threshold <= 1:
        cure = "leave it out to have it calibrated"
        yield Problem("threshold", f"{situation.threshold:g}", "a cosine above 0 and up to 1", cure)
