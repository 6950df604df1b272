"""What this machine lacks to run the whole system, and how to get it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from lamplight_kafka_local import JavaNotFoundError, find_java
from lamplight_kafka_local.jars import KAFKA_VERSION, default_cache, is_intact, pinned_jars
from lamplight_kit.errors import LamplightError
from lamplight_kit.onnx import Session, read_manifest
from lamplight_kit.settings import ENV_PREFIX
from lamplight_models import default_folder, missing

from lamplight_cli.adapters import readiness
from lamplight_cli.running.folder import Folder, NotRunningError
from lamplight_cli.running.parts import SERVICES
from lamplight_cli.where import CliSettings

_GB = 1e9
_DISK_GB = 2.0
_MEMORY_GB = 3.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `cure` says what to do where it is not well."""

    check: str
    is_well: bool
    found: str
    expected: str
    cure: str = ""


def examine(data: Path) -> Iterator[Finding]:
    """Look at everything that `lamplight up` on folder `data` needs, one finding each."""
    checks: Sequence[Callable[[], Finding]] = (_python, _java, _jars, _models, _ports, _memory, lambda: _disk(data))
    for name in SERVICES:
        yield _package(name)
    for check in checks:
        yield check()
    yield from _own_models()
    yield from _running(Folder(data.absolute()))


def _python() -> Finding:
    is_well = sys.version_info >= (3, 11)
    return Finding(
        "python", is_well, platform.python_version(), "3.11 or newer", "install a newer Python, then `make setup`"
    )


def _package(name: str) -> Finding:
    is_well = importlib.util.find_spec(f"lamplight_{name}") is not None
    found = "installed" if is_well else "not installed"
    return Finding(f"service {name}", is_well, found, "installed", f"`make setup`, or `pip install lamplight-{name}`")


def _java() -> Finding:
    try:
        return Finding("java", is_well=True, found=str(find_java()), expected="Java 17 or newer")
    except JavaNotFoundError as error:
        return Finding("java", is_well=False, found=str(error), expected="Java 17 or newer", cure="`make setup`")


def _jars() -> Finding:
    folder = default_cache() / KAFKA_VERSION
    jars = pinned_jars()
    there = sum(is_intact(folder / jar.filename, jar) for jar in jars)
    found = f"{there} of {len(jars)} jars in {folder}"
    cure = "`python -m lamplight_kafka_local --fetch` (43 MB), or `lamplight up`, which does it"
    return Finding("kafka jars", there == len(jars), found, "all, as pinned by checksum", cure)


def _models() -> Finding:
    folder = default_folder(os.environ)
    try:
        lacking = missing(folder)
    except LamplightError as error:
        return Finding("models", is_well=False, found=str(error), expected="all, whole", cure="`make models`")
    found = f"{', '.join(each.name for each in lacking)} missing in {folder}" if lacking else f"all in {folder}"
    return Finding("models", not lacking, found, "all, whole", lacking[0].cure if lacking else "")


def _own_models() -> Iterator[Finding]:
    """Look at the manifests that the settings name in place of the default ones."""
    told = CliSettings()
    for setting in ("things_model", "faces_model", "embedder"):
        name = str(getattr(told, setting))
        if not name:
            continue
        check, expected = (
            f"model of {ENV_PREFIX}{setting.upper()}",
            "a manifest with its ONNX file, as its checksum says",
        )
        try:
            manifest = read_manifest(default_folder(os.environ) / name)
            Session(manifest)
        except LamplightError as error:
            yield Finding(check, is_well=False, found=str(error), expected=expected, cure="mend it, or the setting")
        else:
            yield Finding(check, is_well=True, found=f"{manifest.name}, {manifest.role.value}", expected=expected)


def _ports() -> Finding:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
    except OSError as error:
        cure = "bring the loopback interface up, or allow this user to listen on it"
        return Finding("ports", is_well=False, found=str(error), expected="free ports on 127.0.0.1", cure=cure)
    return Finding("ports", is_well=True, found="free ports on 127.0.0.1", expected="free ports on 127.0.0.1")


def _memory() -> Finding:
    available_gb = psutil.virtual_memory().available / _GB
    cure = "end other programs; all processes together take 2 to 4 GB"
    return Finding("memory", available_gb >= _MEMORY_GB, f"{available_gb:.1f} GB free", f"{_MEMORY_GB:g} GB free", cure)


def _disk(data: Path) -> Finding:
    folder = next(each for each in (data.absolute(), *data.absolute().parents) if each.exists())
    free_gb = shutil.disk_usage(folder).free / _GB
    found = f"{free_gb:.1f} GB free at {folder}"
    return Finding(
        "disk", free_gb >= _DISK_GB, found, f"{_DISK_GB:g} GB free", "make room, or choose a folder by --data"
    )


def _running(folder: Folder) -> Iterator[Finding]:
    try:
        health: Mapping[str, str] = folder.read_state()["health"]
    except NotRunningError:
        return
    for name, address in health.items():
        try:
            why = readiness.probe(int(address.rpartition(":")[2]))
        except OSError as error:
            why = f"no answer at {address}: {error}"
        cure = f"read {folder.file('logs') / f'{name}.log'}"
        yield Finding(f"running {name}", why is None, why or "ready", "ready", cure)
