"""`lamplight camera apply|list|remove`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lamplight_cli.commands import options
from lamplight_cli.output import say, say_json, say_rows


@click.group(name="camera")
def command() -> None:
    """Configure cameras, and see how they are."""


@command.command(name="apply")
@click.argument("path", metavar="F", type=click.Path(path_type=Path))
@options.data
@options.as_json
def apply(path: Path, data: Path, *, as_json: bool) -> None:
    """Check the cameras of file F, then write all of them."""
    from lamplight_cli.apply import apply_cameras  # noqa: PLC0415 - imports gRPC
    from lamplight_cli.files.cameras import read_cameras  # noqa: PLC0415 - as above

    for camera in apply_cameras(read_cameras(path), options.where(data)):
        if as_json:
            say_json({"kind": "camera", "id": camera.id, "version": camera.version, "applied": True})
        else:
            say(f"{camera.id}: applied, version {camera.version}")


@command.command(name="list")
@options.data
@options.as_json
def list_(data: Path, *, as_json: bool) -> None:
    """List all cameras with their states."""
    from lamplight.camera.v1 import camera_pb2, camera_pb2_grpc  # noqa: PLC0415 - imports gRPC

    from lamplight_cli.adapters.calls import call, calling  # noqa: PLC0415 - as above

    where = options.where(data)
    with calling("ingest", where.service("ingest"), where.token) as channel:
        answer = call(camera_pb2_grpc.CameraServiceStub(channel).ListCameras, camera_pb2.ListCamerasRequest())
    lines = [_line(entry) for entry in answer.entries]
    if as_json:
        for line in lines:
            say_json(line)
        return
    names = ("id", "state", "name", "district", "since", "reason")
    say_rows(
        names, [[line[name] or "" for name in names] for line in lines], "no cameras; apply some by `camera apply F`"
    )


@command.command(name="remove")
@click.argument("camera_id", metavar="ID")
@options.data
@options.as_json
def remove(camera_id: str, data: Path, *, as_json: bool) -> None:
    """Remove the camera ID."""
    from lamplight.camera.v1 import camera_pb2, camera_pb2_grpc  # noqa: PLC0415 - imports gRPC

    from lamplight_cli.adapters.calls import call, calling  # noqa: PLC0415 - as above

    where = options.where(data)
    with calling("ingest", where.service("ingest"), where.token) as channel:
        stub = camera_pb2_grpc.CameraServiceStub(channel)
        call(stub.RemoveCamera, camera_pb2.RemoveCameraRequest(camera_id=camera_id))
    options.say_removed("camera", camera_id, as_json=as_json)


def _line(entry: Any) -> Mapping[str, Any]:
    from lamplight_cli.lines import iso  # noqa: PLC0415 - imports the contracts

    camera, state = entry.camera, entry.state
    word = state.State.Name(state.state).removeprefix("STATE_").lower() if entry.HasField("state") else None
    since = iso(state.since_ns) if state.since_ns else None
    return {
        "kind": "camera",
        "id": camera.id,
        "name": camera.name,
        "district": camera.district,
        "labels": list(camera.labels),
        "zones": [zone.id for zone in camera.zones],
        "version": camera.version,
        "state": word,
        "since": since,
        "reason": state.reason,
        "transport": state.transport,
        "frames_sent": state.frames_sent,
        "frames_dropped": state.frames_dropped,
        "keyframe_interval_s": state.keyframe_interval_s if state.HasField("keyframe_interval_s") else None,
    }
