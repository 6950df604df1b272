"""`lamplight redact`: detect's own gate over files of the user's, and whether a seal holds."""

from __future__ import annotations

import hashlib
import json
import mimetypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamplight.key.v1 import key_pb2
from lamplight.seal.v1 import seal_pb2
from lamplight_kit.errors import BadInput, Problem
from lamplight_kit.seal import BadSeal, KeyRing, attested, verify

from lamplight_cli.files.situations import codec_of
from lamplight_cli.lines import iso
from lamplight_cli.local import stage

KEY_FOLDER = "redact"
PUBLIC_KEY = "public-key.json"
KINDS = ("person", "face", "motion", "plate")
SEAL = ".seal"
MOST_BYTES = 1 << 28
"""A picture larger than this is not even read; detect refuses it far below, by its own limit."""
_MEDIA = frozenset({"image", "video"})
Progress = Callable[[str, int, int], None]
"""Told of a file's name, its pictures done, and how many are expected (0: not known)."""


@dataclass(frozen=True)
class Job:
    """One file to redact: `path` goes to `out`."""

    path: Path
    out: Path
    is_still: bool


def found(paths: Sequence[Path]) -> Sequence[tuple[Path, Path]]:
    """Return the files that are meant, each with the folder that it was found below: files, folders, patterns.

    Hidden files are none of them. Raises `BadInput` where a path is not there.
    """
    named = [one for path in paths for one in _expanded(path)]
    missing = [path for path in named if not path.exists()]
    if missing:
        cure = "mend the path"
        raise BadInput(tuple(Problem("", str(path), "a file, a folder or a pattern", cure) for path in missing))
    files: list[tuple[Path, Path]] = []
    for path in named:
        if path.is_dir():
            inside = [one for one in sorted(path.rglob("*")) if one.is_file()]
            files += [(one, path) for one in inside if not _is_hidden(one.relative_to(path))]
        else:
            files.append((path, path.parent))
    return files


def jobs_of(
    paths: Sequence[Path], out: Path, passed_over: Callable[[Path], None] = lambda _path: None
) -> Sequence[Job]:
    """Return what to redact, folders with all that is below them, their structure kept.

    Of folders only pictures and videos are taken, by their content or name; `passed_over` is told of the others. What
    lies below `out` is not taken again. Raises `BadInput` where a path is not there, or would be written over.
    """
    taken: set[Path] = set()
    jobs = []
    for file, below in found(paths):
        is_still = _is_still(file)
        if below != file.parent or any(path.is_dir() and path == below for path in paths):
            if file.resolve().is_relative_to(out.resolve()):
                continue
            if not is_still and not _is_media(file):
                passed_over(file)
                continue
        target = out / file.relative_to(below).with_suffix(".jpg" if is_still else ".mp4")
        if target in taken:  # another file of that name, from another folder or of another kind
            target = target.with_name(f"{file.name}-{len(taken)}{target.suffix}")
        taken.add(target)
        jobs.append(Job(file, target, is_still))
    over = [job for job in jobs if job.out.resolve() == job.path.resolve()]
    if over:
        cure = "choose another folder by --out"
        raise BadInput(tuple(Problem("", str(job.out), "a folder apart from the originals", cure) for job in over))
    return jobs


def redact(jobs: Sequence[Job], data: Path, *, with_boxes: bool, progress: Progress) -> Iterator[Mapping[str, Any]]:
    """Yield a line for each job (docs/design.md, *The hand*); where refused, no file is written.

    The signing key is kept in `data`, its public half beside it for `verified`.
    """
    made = stage("detect")(data_dir=data / KEY_FOLDER)
    _write_public(data / KEY_FOLDER / PUBLIC_KEY, made.key)
    for job in jobs:
        with _folders_for(job.out):
            result, refused = _redacted(made.redactor, job, with_boxes=with_boxes, progress=progress)
        yield _line(job, result, refused, with_boxes=with_boxes)


def verified(path: Path, keys: KeyRing) -> Mapping[str, Any]:
    """Return what the seal of a picture, or of a video with its `.seal` beside it, attests; `error`: none holds."""
    line = {"file": str(path), "verified": False, "error": None}
    try:
        attestation, key_id = _attested(path, keys)
    except (BadSeal, OSError) as error:
        return {**line, "error": str(error)}
    return {
        **line,
        "verified": True,
        "key_id": key_id,
        "policy": attestation.policy_version,
        "frame_hw": [attestation.height_px, attestation.width_px],
        "masks": {kind: attestation.masks.get(kind, 0) for kind in KINDS},
        "masked_share": round(attestation.masked_share, 4),
        "filled": attestation.filled_holes,
        "camera_id": attestation.camera_id or None,
        "at": iso(attestation.at_ns) if attestation.at_ns else None,
        "models_sha256": dict(sorted(attestation.models_sha256.items())),
    }


def own_key(data: Path) -> key_pb2.SigningKey | None:
    """Return the public half of the key that `redact` signs with in folder `data`; None where it never did."""
    path = data / KEY_FOLDER / PUBLIC_KEY
    if not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    public = bytes.fromhex(content["public_key"])
    return key_pb2.SigningKey(key_id=content["key_id"], replica="redact", public_key=public)


def _redacted(redactor: Any, job: Job, *, with_boxes: bool, progress: Progress) -> tuple[Any, str]:
    """Redact one file; return detect's result (None: the disk failed before) and why there is no output, or empty."""
    name = job.path.name
    if not job.is_still:
        result = redactor.redact_video(
            job.path, job.out, with_boxes=with_boxes, progress=lambda done, expected: progress(name, done, expected)
        )
        return result, result.refused
    try:
        if job.path.stat().st_size > MOST_BYTES:
            return None, f"a picture of more than {MOST_BYTES} bytes found, a smaller one expected; send it smaller"
        result = redactor.redact_picture(job.path.read_bytes(), with_boxes=with_boxes)
        if not result.refused:
            _write(job.out, result.picture)
            progress(name, 1, 1)
    except OSError as error:
        return None, f"{error.strerror or type(error).__name__} found, a file that can be read and written expected"
    return result, result.refused


def _write(out: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    beside = out.with_name(f".{out.name}.part")
    try:
        beside.write_bytes(content)
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)


class _folders_for:  # noqa: N801 - a context, used as a function
    """Make the folders that `out` stands in; those that stay empty go again."""

    def __init__(self, out: Path) -> None:
        self._made = [folder for folder in (out.parent, *out.parent.parents) if not folder.exists()]
        self._parent = out.parent

    def __enter__(self) -> None:
        self._parent.mkdir(parents=True, exist_ok=True)

    def __exit__(self, *_: object) -> None:
        for folder in self._made:
            if any(folder.iterdir()):
                return
            folder.rmdir()


def _expanded(path: Path) -> Sequence[Path]:
    """Return what a pattern names that no shell has expanded; what is no pattern as it is."""
    if path.exists() or not set("*?[") & set(str(path)):
        return [path]
    root = Path(path.anchor) if path.is_absolute() else Path()
    pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
    return sorted(root.glob(pattern)) or [path]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_still(file: Path) -> bool:
    with file.open("rb") as stream:
        return bool(codec_of(stream.read(8)))


def _is_media(file: Path) -> bool:
    """Tell whether a file's name says that it is a picture or a video; one that cannot be read says why itself."""
    return (mimetypes.guess_type(file.name)[0] or "").split("/")[0] in _MEDIA or file.suffix.lower() in {".ts", ".mkv"}


def _attested(path: Path, keys: KeyRing) -> tuple[seal_pb2.Attestation, str]:
    beside = path.with_name(f"{path.name}{SEAL}")
    if not beside.exists():
        picture = verify(path.read_bytes(), keys)
        return picture.attestation, picture.key_id
    attestation, key_id = attested(beside.read_bytes(), keys)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    if digest != attestation.picture_sha256:
        message = "a video that differs from what was sealed found; it was changed after the gate"
        raise BadSeal(message)
    return attestation, key_id


def _line(job: Job, result: Any, refused: str, *, with_boxes: bool) -> Mapping[str, Any]:
    masks = result.masks if result else {}
    line = {
        "in": str(job.path),
        "out": None if refused else str(job.out),
        "frames": result.frames if result else 0,
        "frame_hw": list(result.frame_hw) if result and any(result.frame_hw) else None,
        "out_hw": list(result.leaving_hw) if result and any(result.leaving_hw) else None,
        "masks": {kind: masks.get(kind, 0) for kind in KINDS},
        "masked_share": round(result.masked_share, 4) if result else 0.0,
        "filled": result.filled if result else 0,
        "background_share": round(result.background_share, 4) if result else 0.0,
        "refused": refused or None,
        "damaged": result.damaged if result else 0,
    }
    if not with_boxes:
        return line
    boxes = [
        {"frame": box.frame, "kind": box.kind, "box_xyxy": [round(side, 1) for side in box.box_xyxy]}
        for box in (result.boxes if result else ())
    ]
    return {**line, "boxes": boxes}


def _write_public(path: Path, key: key_pb2.SigningKey) -> None:
    path.write_text(json.dumps({"key_id": key.key_id, "public_key": key.public_key.hex()}), encoding="utf-8")
