"""Cameras from a table or a map: CSV and GeoJSON, their columns and properties named as the fields of cameras.yaml.

Both become the document that a cameras.yaml would have been, so that one reader checks all three; what is wrong is
told by the user's own line, column or property.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from lamplight_kit import user_yaml
from lamplight_kit.errors import BadInput, Problem
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from lamplight_cli.files.document import Document, nearest

SUFFIXES = (".csv", ".tsv", ".geojson", ".json")
_PLACES = {
    "secret": ("credentials", "secret"),
    "lon": ("place", "lon"),
    "lat": ("place", "lat"),
    "heading_deg": ("place", "heading_deg"),
    "pictures": ("sampling", "pictures"),
    "min_gap_s": ("sampling", "min_gap_s"),
    "max_gap_s": ("sampling", "max_gap_s"),
}
"""Columns whose field lies inside another."""
_PLAIN = ("id", "name", "source", "purpose", "district", "labels", "time_zone", "retention_days", "evidence_every_s")
_DRAWN = ("zones", "lines")
COLUMNS = (*_PLAIN, *_PLACES, *_DRAWN)
_NESTED = ("credentials", "place", "sampling", "views")
_NUMBERS = frozenset({"lon", "lat", "heading_deg", "min_gap_s", "max_gap_s", "retention_days", "evidence_every_s"})
_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d*)?([eE][-+]?\d+)?\s*")
_CAMERA = re.compile(r"cameras\[(\d+)\]\.?(.*)")
_MAX_BYTES = 256 << 20


def read_table(path: Path, ignore: Collection[str] = ()) -> Document:
    """Return the document that a CSV or GeoJSON file stands for; raises `BadInput` where it is neither.

    `ignore` names columns or properties that are passed over.
    """
    text = _text(path)
    if path.suffix.lower() in (".csv", ".tsv"):
        return _Csv(str(path), frozenset(ignore)).read(text)
    return _GeoJson(str(path), frozenset(ignore)).read(text)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            found = f"{path.stat().st_size} bytes"
            raise BadInput((Problem("", found, f"at most {_MAX_BYTES}", "split the file", str(path), 1),))
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        cure = f"{error.strerror}: mend the path"
        raise BadInput((Problem("", str(path), "a readable file", cure, str(path), 1),)) from error
    except UnicodeDecodeError as error:
        problem = Problem("", f"byte {error.start}", "UTF-8 text", "save the file as UTF-8", str(path), 1)
        raise BadInput((problem,)) from error


class _Csv:
    def __init__(self, name: str, ignore: Collection[str]) -> None:
        self._document = Document(name, _file(), rename=_as_column)
        self._ignore = ignore

    def read(self, text: str) -> Document:
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            names = [name.strip() for name in next(rows, [])]
            self._check(names)
            begins = rows.line_num + 1
            for cells in rows:
                if any(cell.strip() for cell in cells):
                    self._row(names, cells, begins)
                begins = rows.line_num + 1
        except csv.Error as error:
            self._wrong("", str(error), "CSV", "mend the line, or the one before it", rows.line_num)
        return self._document

    def _check(self, names: list[str]) -> None:
        for name in names:
            if name and name not in COLUMNS and name not in self._ignore:
                near = nearest(name.lower(), COLUMNS)
                cure = f"did you mean {near!r}?" if near else f"rename or remove it, or import with --ignore {name}"
                self._wrong(f"column {name}", name, f"one of {', '.join(COLUMNS)}", cure, 1)
        for name in sorted({name for name in names if name and names.count(name) > 1}):
            self._wrong(f"column {name}", name, "each column once", "remove one of them", 1)
        missing = [name for name in ("id", "source") if name not in names]
        if missing:
            self._wrong("", f"no column {missing[0]}", "columns id and source", "name the columns in the first line", 1)

    def _row(self, names: list[str], cells: list[str], line: int) -> None:
        if len(cells) > len(names):
            found = f"{len(cells)} cells"
            self._wrong(
                "", found, f"at most {len(names)}, as the first line has", "put cells with a comma in quotes", line
            )
        values = {
            name: self._value(name, cell.strip(), line)
            for name, cell in zip(names, cells, strict=False)
            if name in COLUMNS and cell.strip()
        }
        _append(self._document, _camera_of(values), line)

    def _value(self, name: str, cell: str, line: int) -> Any:
        if name in _NUMBERS:
            return _number(cell)
        if name == "labels":
            return [label.strip() for label in cell.split(";") if label.strip()]
        if name in _DRAWN:
            try:
                return user_yaml.load_json(cell)
            except ValueError:
                example = '[{"id": "bay", "polygon": [[0.1, 0.6], [0.4, 0.6], [0.4, 0.9]]}]'
                self._wrong(f"column {name}", cell[:80], f"JSON as {example}", "mend the cell", line)
                return []
        return cell

    def _wrong(self, path: str, value: str, expected: str, cure: str, line: int) -> None:
        self._document.problems.append(Problem(path, value, expected, cure, self._document.name, line))


class _GeoJson:
    def __init__(self, name: str, ignore: Collection[str]) -> None:
        self._document = Document(name, _file(), rename=_as_property)
        self._ignore = ignore

    def read(self, text: str) -> Document:
        """Read features one by one, so that each knows its line."""
        try:
            whole = user_yaml.load_json(text)
        except ValueError as error:
            line = getattr(error, "lineno", 1)
            self._wrong("", str(getattr(error, "msg", error)), "JSON", "mend the line, or the one before it", line)
            return self._document
        if not isinstance(whole, dict) or whole.get("type") != "FeatureCollection":
            found = whole.get("type", "no type") if isinstance(whole, dict) else type(whole).__name__
            self._wrong("type", str(found)[:80], "a GeoJSON FeatureCollection", "export the layer as GeoJSON", 1)
            return self._document
        features = whole.get("features")
        lines = list(_feature_lines(text))
        for number, feature in enumerate(features if isinstance(features, list) else []):
            self._feature(feature, number, lines[number] if number < len(lines) else 1)
        return self._document

    def _feature(self, feature: Any, number: int, line: int) -> None:
        where = f"features[{number}]"
        properties = feature.get("properties") if isinstance(feature, dict) else None
        if not isinstance(properties, dict):
            self._wrong(where, "no properties", "a Feature with properties", "write id and source among them", line)
            properties = {}
        values = {name: value for name, value in properties.items() if value is not None and name not in self._ignore}
        known = (*COLUMNS, *_NESTED)
        for name in sorted(set(values) - set(known)):
            near = nearest(name.lower(), known)
            cure = f"did you mean {near!r}?" if near else f"remove it, or import with --ignore {name}"
            self._wrong(f"{where}.properties.{name}", name, f"one of {', '.join(known)}", cure, line)
            del values[name]
        if isinstance(values.get("labels"), str):
            values["labels"] = [label.strip() for label in values["labels"].split(";") if label.strip()]
        if isinstance(feature, dict):
            if "id" not in values and isinstance(feature.get("id"), str):
                values["id"] = feature["id"]
            values |= self._point(feature.get("geometry"), where, line)
        _append(self._document, _camera_of(values), line)

    def _point(self, geometry: Any, where: str, line: int) -> Mapping[str, Any]:
        if geometry is None:
            return {}
        at = geometry.get("coordinates") if isinstance(geometry, dict) and geometry.get("type") == "Point" else None
        if not isinstance(at, list) or len(at) < 2:
            kind = geometry.get("type") if isinstance(geometry, dict) else geometry
            self._wrong(
                f"{where}.geometry", str(kind)[:80], "a Point [lon, lat], or null", "move it to one point", line
            )
            return {}
        return {"lon": at[0], "lat": at[1]}

    def _wrong(self, path: str, value: str, expected: str, cure: str, line: int) -> None:
        self._document.problems.append(Problem(path, value, expected, cure, self._document.name, line))


def _feature_lines(text: str) -> Iterator[int]:
    """Yield the line on which each feature begins: the objects of the list after `"features":`."""
    start = re.search(r'"features"\s*:\s*\[', text)
    if start is None:
        return
    decoder, at, line, counted = json.JSONDecoder(), start.end(), 1, 0
    while (found := re.compile(r"[\s,]*").match(text, at)) and text[found.end() : found.end() + 1] not in ("]", ""):
        line += text.count("\n", counted, found.end())
        counted = found.end()
        yield line
        _, at = decoder.raw_decode(text, found.end())


def _file() -> CommentedMap:
    return CommentedMap({"version": 1, "cameras": CommentedSeq()})


def _append(document: Document, camera: Mapping[str, Any], line: int) -> None:
    cameras = document.content["cameras"]
    cameras.lc.add_idx_line_col(len(cameras), [line - 1, 0])
    cameras.append(_marked(camera, line))


def _camera_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of one camera, those of flat columns inside the fields that they belong to."""
    camera: dict[str, Any] = {}
    for name, value in values.items():
        if name in _PLACES:
            outer, inner = _PLACES[name]
            holder = camera.setdefault(outer, {})
            if isinstance(holder, dict):
                holder[inner] = value
        else:
            both = isinstance(value, dict) and isinstance(camera.get(name), dict)
            camera[name] = {**value, **camera[name]} if both else value
    return camera


def _marked(value: Any, line: int) -> Any:
    """Return JSON as the YAML reader would have, all of it on one line of the file."""
    if isinstance(value, Mapping):
        made = CommentedMap()
        for key, item in value.items():
            made[key] = _marked(item, line)
            made.lc.add_kv_line_col(key, [line - 1, 0, line - 1, 0])
        return made
    if isinstance(value, list):
        items = CommentedSeq()
        for number, item in enumerate(value):
            items.append(_marked(item, line))
            items.lc.add_idx_line_col(number, [line - 1, 0])
        return items
    return value


def _number(cell: str) -> Any:
    if not _NUMBER.fullmatch(cell):
        return cell
    return float(cell) if set(cell) & set(".eE") else int(cell)


def _flat(field: str) -> str:
    """Return the flat name of a field: `place.lon` is the column lon."""
    for name, (outer, inner) in _PLACES.items():
        if field in (f"{outer}.{inner}", f"{outer}_{inner}"):
            return name
    return field


def _as_column(path: str) -> str:
    match = _CAMERA.fullmatch(path)
    return path if match is None else f"column {_flat(match[2])}" if match[2] else "row"


def _as_property(path: str) -> str:
    match = _CAMERA.fullmatch(path)
    if match is None:
        return path
    name = _flat(match[2])
    if name in ("lon", "lat"):
        return f"features[{match[1]}].geometry.coordinates[{('lon', 'lat').index(name)}]"
    return f"features[{match[1]}].properties{'.' if name else ''}{name}"
