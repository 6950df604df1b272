"""The bus stage's work: commands become cameras, and a partition held means its cameras are to be watched."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lamplight.camera.v1 import camera_pb2
from lamplight.command.v1 import command_pb2
from lamplight_kit.errors import Refuse
from lamplight_kit.kafka.types import Outgoing, Record

from lamplight_ingest.plan import completed

INPUTS = ("commands",)
STATE = ("cameras", "camera-states")
"""`camera-states` is not written in the stage's transactions, but by whoever watches; its epochs are read back."""


@dataclass(frozen=True)
class Holding:
    """What this worker is to watch: the partitions it holds, their cameras, and the highest epoch known of each."""

    partitions: frozenset[int]
    cameras: Mapping[str, camera_pb2.Camera]
    partition_of: Mapping[str, int]
    epochs: Mapping[str, int]


class CameraHandler:
    """Applies commands of cameras, passes over all others; its state is what `holding` says to watch."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._lock = threading.Lock()
        self._cameras: dict[int, dict[str, camera_pb2.Camera]] = {}
        self._epochs: dict[int, dict[str, int]] = {}

    def holding(self) -> Holding:
        """Return what is held now; asked from other threads."""
        with self._lock:
            cameras = {name: camera for held in self._cameras.values() for name, camera in held.items()}
            partition_of = {name: number for number, held in self._cameras.items() for name in held}
            epochs = {name: epoch for known in self._epochs.values() for name, epoch in known.items()}
            return Holding(frozenset(self._cameras), cameras, partition_of, epochs)

    def restore(self, partition: int, records: Sequence[Record]) -> None:
        """Take the cameras of `partition`, and the epochs in which others have watched them."""
        cameras = {r.key: r.message for r in records if isinstance(r.message, camera_pb2.Camera)}
        epochs = {r.key: r.message.epoch for r in records if isinstance(r.message, camera_pb2.CameraState)}
        with self._lock:
            self._cameras[partition] = cameras
            self._epochs[partition] = epochs

    def forget(self, partition: int) -> None:
        """Hold `partition` no more."""
        with self._lock:
            self._cameras.pop(partition, None)
            self._epochs.pop(partition, None)

    def handle(self, batch: Sequence[Record]) -> Sequence[Outgoing]:
        """Apply the commands of `batch`; return the cameras that they change, or tombstones. Raises `Refuse`."""
        with self._lock:
            return [out for record in batch for out in self._one(record)]

    def _one(self, record: Record) -> Sequence[Outgoing]:
        command = record.message
        if not isinstance(command, command_pb2.Command):
            return ()
        match command.WhichOneof("what"):
            case "apply_camera":
                return self._apply(record, command)
            case "remove_camera_id":
                return self._remove(record, command.remove_camera_id)
            case _:
                return ()

    def _apply(self, record: Record, command: command_pb2.Command) -> Sequence[Outgoing]:
        if command.apply_camera.id != record.key:
            text = f"command {command.command_id}: camera {command.apply_camera.id!r} found, its key {record.key!r} is"
            raise Refuse(f"{text} another; write the command with the camera's id as its key")
        held = self._cameras.setdefault(record.partition, {})
        before = held.get(record.key)
        camera = completed(command.apply_camera)
        camera.version = 1 if before is None else before.version + 1
        camera.last_command_id = command.command_id
        held[record.key] = camera
        return (Outgoing("cameras", record.key, camera, record.partition),)

    def _remove(self, record: Record, camera_id: str) -> Sequence[Outgoing]:
        if self._cameras.setdefault(record.partition, {}).pop(camera_id, None) is None:
            return ()
        return (Outgoing("cameras", camera_id, None, record.partition),)
