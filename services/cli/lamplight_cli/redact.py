"""`lamplight redact`: detect's own gate over files of the user's, and whether a seal holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from google.protobuf.message import DecodeError
from lamplight.key.v1 import key_pb2
from lamplight.seal.v1 import seal_pb2
from lamplight_kit.errors import BadInput, Problem
from lamplight_kit.seal import BadSeal, KeyRing, verify

from lamplight_cli.files.situations import codec_of
from lamplight_cli.lines import iso
from lamplight_cli.local import stage

KEY_FOLDER = "redact"
PUBLIC_KEY = "public-key.json"
KINDS = ("person", "face", "motion", "plate")


@dataclass(frozen=True)
class Job:
    """One file to redact: `path` goes to `out`."""

    path: Path
    out: Path
    is_still: bool


def jobs_of(paths: Sequence[Path], out: Path) -> Sequence[Job]:
    """Return what to redact: files, and the files of folders. Raises `BadInput` where a path is not there."""
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise BadInput(tuple(Problem("", str(path), "a file or a folder", "mend the path") for path in missing))
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path]) if file.is_file()]
    taken: set[Path] = set()
    jobs = []
    for file in files:
        with file.open("rb") as stream:
            is_still = bool(codec_of(stream.read(8)))
        suffix = ".jpg" if is_still else ".mp4"
        target = out / f"{file.stem}{suffix}"
        if target in taken:  # another file of that name, from another folder or of another kind
            target = out / f"{file.name}-{len(taken)}{suffix}"
        taken.add(target)
        jobs.append(Job(file, target, is_still))
    over = [job for job in jobs if job.out.resolve() == job.path.resolve()]
    if over:
        cure = "choose another folder by --out"
        raise BadInput(tuple(Problem("", str(job.out), "a folder apart from the originals", cure) for job in over))
    return jobs


def redact(
    jobs: Sequence[Job], data: Path, *, with_boxes: bool, progress: Callable[[str], None]
) -> Iterator[Mapping[str, Any]]:
    """Yield a line for each job (docs/design.md, *The hand*); where refused, no file is written.

    The signing key is kept in `data`, its public half beside it for `verified`.
    """
    made = stage("detect")(data_dir=data / KEY_FOLDER)
    _write_public(data / KEY_FOLDER / PUBLIC_KEY, made.key)
    for job in jobs:
        job.out.parent.mkdir(parents=True, exist_ok=True)
        if job.is_still:
            result = made.redactor.redact_picture(job.path.read_bytes(), with_boxes=with_boxes)
            if not result.refused:
                job.out.write_bytes(result.picture)
        else:
            say = _every(100, job.path.name, progress)
            result = made.redactor.redact_video(job.path, job.out, with_boxes=with_boxes, progress=say)
        yield _line(job, result, with_boxes=with_boxes)


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


def _attested(path: Path, keys: KeyRing) -> tuple[seal_pb2.Attestation, str]:
    beside = path.with_name(f"{path.name}.seal")
    content = path.read_bytes()
    if not beside.exists():
        picture = verify(content, keys)
        return picture.attestation, picture.key_id
    try:
        seal = seal_pb2.Seal.FromString(beside.read_bytes())
        attestation = seal_pb2.Attestation.FromString(seal.attestation)
        keys.find(seal.key_id).verify(seal.signature, seal.attestation)
    except DecodeError as error:
        message = f"{beside}: no seal found, one of detect's expected"
        raise BadSeal(message) from error
    except InvalidSignature:
        message = f"a signature by key {seal.key_id} that does not hold found; the attestation was changed"
        raise BadSeal(message) from None
    if hashlib.sha256(content).digest() != attestation.picture_sha256:
        message = "a video that differs from what was sealed found; it was changed after the gate"
        raise BadSeal(message)
    return attestation, seal.key_id


def _line(job: Job, result: Any, *, with_boxes: bool) -> Mapping[str, Any]:
    line = {
        "in": str(job.path),
        "out": None if result.refused else str(job.out),
        "frames": result.frames,
        "frame_hw": list(result.frame_hw) if any(result.frame_hw) else None,
        "masks": {kind: result.masks.get(kind, 0) for kind in KINDS},
        "masked_share": round(result.masked_share, 4),
        "refused": result.refused or None,
        "damaged": result.damaged,
    }
    if not with_boxes:
        return line
    boxes = [
        {"frame": box.frame, "kind": box.kind, "box_xyxy": [round(side, 1) for side in box.box_xyxy]}
        for box in result.boxes
    ]
    return {**line, "boxes": boxes}


def _write_public(path: Path, key: key_pb2.SigningKey) -> None:
    path.write_text(json.dumps({"key_id": key.key_id, "public_key": key.public_key.hex()}), encoding="utf-8")


def _every(count: int, name: str, progress: Callable[[str], None]) -> Callable[[int], None]:
    def told(number: int) -> None:
        if number % count == 0:
            progress(f"{name}: {number} pictures")

    return told
