"""`lamplight camera apply|import|list|remove|probe`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lamplight_cli.commands import options
from lamplight_cli.errors import FAILED
from lamplight_cli.output import say, say_json, say_rows, warn

if TYPE_CHECKING:
    from lamplight_cli.many import Difference

_MOST_LINES = 40
_PROGRESS_EVERY_S = 2.0


@click.group(name="camera")
def command() -> None:
    """Configure cameras, and see how they are."""


@command.command(name="apply")
@click.argument("path", metavar="F", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check everything and say what would change; change nothing.")
@click.option("--prune", is_flag=True, help="Remove the cameras that F does not name, after asking.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@options.data
@options.as_json
def apply(path: Path, data: Path, *, dry_run: bool, prune: bool, yes: bool, as_json: bool) -> None:
    """Make the cameras those of file F: cameras.yaml, CSV or GeoJSON, thousands at once.

    The whole file is checked and what changes is told before anything does. Cameras that are so already are left
    alone, so that the same command again finishes what was interrupted.
    """
    from lamplight.camera.v1 import camera_pb2_grpc  # noqa: PLC0415 - imports gRPC

    from lamplight_cli import many  # noqa: PLC0415 - as above
    from lamplight_cli.adapters.calls import calling  # noqa: PLC0415 - as above
    from lamplight_cli.files.cameras import read_cameras  # noqa: PLC0415 - as above

    file, where = read_cameras(path), options.where(data)
    with options.at_lines(file.document), calling("ingest", where.service("ingest"), where.token) as channel:
        stub = camera_pb2_grpc.CameraServiceStub(channel)
        wanted = many.difference(stub, file.cameras, prune=prune)
        if not as_json:
            _say_difference(wanted)
        if dry_run:
            versions: Mapping[str, int] = {}
        else:
            _ask_for(wanted, is_sure=yes)
            versions = {camera.id: camera.version for camera in many.carry_out(stub, wanted, _progress())}
    if as_json:
        _say_changes(wanted, versions, is_applied=not dry_run)
    else:
        say(f"{wanted.words}{'; nothing was changed (--dry-run)' if dry_run else ', in force'}")


@command.command(name="import")
@click.argument("path", metavar="F", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write; else to stdout.")
@click.option("--ignore", multiple=True, metavar="COLUMN", help="A column or property that is none of ours.")
def import_(path: Path, out: Path | None, ignore: tuple[str, ...]) -> None:
    """Write the cameras of F, a CSV or GeoJSON file, as cameras.yaml; nothing is applied."""
    from lamplight_cli.files.camera_out import as_yaml  # noqa: PLC0415 - imports the contracts
    from lamplight_cli.files.cameras import read_cameras  # noqa: PLC0415 - as above

    cameras = read_cameras(path, ignore).cameras
    text = "\n".join(as_yaml(cameras)) + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"--out {str(out)!r}: {error.strerror} found, a file that can be written expected"
        raise click.BadParameter(message) from error
    say(f"{len(cameras):,} cameras written to {out}; `lamplight camera apply {out}` applies them")


@command.command(name="list")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--yaml", "form", flag_value="yaml", help="Print the cameras as a cameras.yaml.")
@click.option("--geojson", "form", flag_value="geojson", help="Print the cameras as GeoJSON, for a map.")
@options.data
@options.as_json
def list_(ids: tuple[str, ...], data: Path, form: str | None, *, as_json: bool) -> None:
    """List all cameras, or those named, with their states, or write them out as they could be applied again."""
    from lamplight.camera.v1 import camera_pb2_grpc  # noqa: PLC0415 - imports gRPC

    from lamplight_cli.adapters.calls import calling  # noqa: PLC0415 - as above
    from lamplight_cli.many import listed  # noqa: PLC0415 - as above

    where = options.where(data)
    with calling("ingest", where.service("ingest"), where.token) as channel:
        entries = listed(camera_pb2_grpc.CameraServiceStub(channel), ids)
        if as_json and form is None:
            for entry in entries:
                say_json(_line(entry))
            return
        found = list(entries)
    if form is not None:
        _say_as(form, [entry.camera for entry in found])
        return
    lines = [_line(entry) for entry in found]
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


@command.command(name="probe")
@click.argument("source", metavar="URL")
@click.option("--secret", default="", metavar="NAME", help="Secret that holds user:password (LAMPLIGHT_SECRET_<NAME>).")
@click.option("--for", "for_s", type=click.FloatRange(1, 600), default=12.0, show_default=True, help="Seconds to look.")
@click.option("--allow-loopback", is_flag=True, help="Look at addresses of this machine too, as `lamplight up` does.")
@options.as_json
def probe(source: str, secret: str, for_s: float, *, allow_loopback: bool, as_json: bool) -> int:
    """Say what a source is before it is added: codec, size, rate, keyframes, time, and which rules it allows.

    URL is what `source` may be in cameras.yaml, or an ONVIF device (onvif://host, http://host/onvif/device_service),
    whose profiles are told. Nothing is kept, and no system need run.
    """
    from lamplight_contracts.secrets import has_secret, scrub  # noqa: PLC0415 - beside its use

    from lamplight_cli import probing  # noqa: PLC0415 - imports the contracts
    from lamplight_cli.local import stage  # noqa: PLC0415 - as above

    if not source.strip():
        message = "nothing found, an address expected; write rtsp(s)://…, http(s)://…, or the path of a file or folder"
        raise click.BadParameter(message)
    if has_secret(source, whole=True):
        message = f"{scrub(source, whole=True)!r} found, an address without user and password expected"
        raise click.BadParameter(f"{message}; put user:password into LAMPLIGHT_SECRET_<NAME>, and name it by --secret")
    found = stage("probe")(options.absolute(source), secret=secret, for_s=for_s, allow_loopback=allow_loopback)
    if as_json:
        for line in probing.lines_of(found, secret):
            say_json(line)
    else:
        for text in probing.words(found, secret):
            say(text)
    if found.report.error is not None:
        by_option = found.report.error.replace(
            "set LAMPLIGHT_ALLOW_LOOPBACK to allow it", "allow it by --allow-loopback"
        )
        warn(f"{found.source}: {by_option}")
        return FAILED
    return 0


def _say_as(form: str, cameras: Sequence[Any]) -> None:
    from lamplight_cli.files.camera_out import as_geojson, as_yaml  # noqa: PLC0415 - imports the contracts

    if form == "geojson":
        say_json(as_geojson(cameras))
    else:
        say("\n".join(as_yaml(cameras)))


def _say_difference(wanted: Difference) -> None:
    told = [f"+ {change.camera.id}" for change in wanted.of("added")]
    told += [f"~ {change.camera.id}: {', '.join(change.fields)}" for change in wanted.of("changed")]
    told += [f"- {camera_id}" for camera_id in wanted.removed]
    for line in told[:_MOST_LINES]:
        say(line)
    if len(told) > _MOST_LINES:
        say(f"… and {len(told) - _MOST_LINES:,} more; --json tells all of them")


def _say_changes(wanted: Difference, versions: Mapping[str, int], *, is_applied: bool) -> None:
    for change in wanted.changes:
        version = versions.get(change.camera.id, change.version)
        told = {"change": change.kind, "fields": list(change.fields), "applied": is_applied}
        say_json({"kind": "camera", "id": change.camera.id, "version": version, **told})
    for camera_id in wanted.removed:
        say_json({"kind": "camera", "id": camera_id, "change": "removed", "removed": is_applied})
    counts = {kind: len(wanted.of(kind)) for kind in ("added", "changed", "unchanged")}
    say_json({"kind": "apply", **counts, "removed": len(wanted.removed), "applied": is_applied})


def _ask_for(wanted: Difference, *, is_sure: bool) -> None:
    if wanted.removed and not is_sure:
        question = f"Remove {len(wanted.removed):,} cameras that the file does not name?"
        click.confirm(question, abort=True, err=True)


def _progress() -> Callable[[int, int], None]:
    """Return what shows how far it is, on stderr, a line a few seconds."""
    last_s = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= _PROGRESS_EVERY_S:
            last_s = time.monotonic()
            warn(f"{done:,} of {total:,} in force")

    return show


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
        "pictures_in": state.pictures_came,
        "skipped_by_activity": state.pictures_spared,
        "bits_per_s": state.bits_per_s or None,
        "last_error": state.last_error or None,
        "last_error_at": iso(state.last_error_ns) if state.last_error_ns else None,
    }
