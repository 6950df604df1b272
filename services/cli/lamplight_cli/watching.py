"""What `lamplight watch` is to watch: a camera for each source, from the user's files or from the source's own name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lamplight.camera.v1 import camera_pb2
from lamplight_contracts.secrets import has_secret, scrub
from lamplight_kit.errors import BadInput, Problem

from lamplight_cli.files.cameras import CamerasFile, plain_camera


def cameras_of(sources: Sequence[str], file: CamerasFile | None) -> Sequence[camera_pb2.Camera]:
    """Return a camera for each source, in their order, its `source` an absolute path or as it was given.

    Of a file, the camera that names the source is its; else the one whose id is the source's name; else the next that
    is left. Raises `BadInput` where none is, or where a source holds a password.
    """
    _without_secrets(sources)
    given = [_absolute(source) for source in sources]
    if file is None:
        return [plain_camera(camera_id, source) for camera_id, source in zip(ids_of(sources), given, strict=True)]
    left = list(file.cameras)
    found: dict[int, camera_pb2.Camera] = {}
    for matches in (_names_it, _has_its_file_name, _has_its_id, _any):
        for number, source in enumerate(given):
            camera = next((each for each in left if matches(each, source)), None)
            if number not in found and camera is not None:
                left.remove(camera)
                found[number] = _with_source(camera, source)
    missing = [source for number, source in enumerate(sources) if number not in found]
    if missing:
        name = file.document.name
        cure = "add a camera to the file, or leave --cameras away"
        raise BadInput(tuple(Problem("cameras", source, "a camera of its own", cure, name, 1) for source in missing))
    return [found[number] for number in range(len(given))]


def ids_of(sources: Sequence[str]) -> Sequence[str]:
    """Return an id for each source by its file's name, numbered where two are alike."""
    ids: list[str] = []
    for source in sources:
        stem = Path(source.rstrip("/")).stem.lower()
        plain = re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_")[:56] or "camera"
        count = sum(each == plain or each.startswith(f"{plain}.") for each in (i.rsplit("-n", 1)[0] for i in ids))
        ids.append(plain if count == 0 else f"{plain}-n{count + 1}")
    return ids


def _without_secrets(sources: Sequence[str]) -> None:
    told = [scrub(source, whole=True) for source in sources if has_secret(source, whole=True)]
    if told:
        cure = "name a secret in a file of cameras instead, and give that by --cameras"
        expected = "an address without user and password"
        raise BadInput(tuple(Problem("source", source, expected, cure) for source in told))


def _absolute(source: str) -> str:
    return source if "://" in source else str(Path(source).resolve())


def _with_source(camera: camera_pb2.Camera, source: str) -> camera_pb2.Camera:
    copy = camera_pb2.Camera()
    copy.CopyFrom(camera)
    copy.source = source
    return copy


def _names_it(camera: camera_pb2.Camera, source: str) -> bool:
    return camera.source == source


def _has_its_file_name(camera: camera_pb2.Camera, source: str) -> bool:
    return Path(camera.source).name == Path(source).name


def _has_its_id(camera: camera_pb2.Camera, source: str) -> bool:
    return camera.id == ids_of([source])[0]


def _any(_camera: camera_pb2.Camera, _source: str) -> bool:
    return True
