"""Settings stop the start with a name; logs hold no pixels or credentials; a service says how it is and drains."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from lamplight_kit.errors import SettingsError
from lamplight_kit.log import configure, without_pixels
from lamplight_kit.rpc.callers import Tokens
from lamplight_kit.settings import ServiceSettings
from lamplight_kit.trace import child, current, new, within

PROGRAM = """
import sys, pathlib
from lamplight_kit.service import run
class Part:
    name = "part"
    port = 7
    def start(self): pathlib.Path(sys.argv[1] + ".started").touch()
    def unready(self): return "not yet" if not pathlib.Path(sys.argv[1] + ".go").exists() else None
    def stop(self, timeout_s): pathlib.Path(sys.argv[1] + ".stopped").touch()
sys.exit(run("toy", [Part()], "127.0.0.1:0", pathlib.Path(sys.argv[1])))
"""


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing setting stops the start with its name and where to set it."""
    monkeypatch.delenv("LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    with pytest.raises(SettingsError, match="LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS"):
        ServiceSettings.load()


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file gives values, the environment changes them."""
    file = tmp_path / "settings.yaml"
    file.write_text("kafka_bootstrap_servers: a:1\nnamespace: city\n")
    monkeypatch.setenv("LAMPLIGHT_NAMESPACE", "town")
    settings = ServiceSettings.load(file)
    assert (settings.kafka_bootstrap_servers, settings.namespace) == ("a:1", "town")


@pytest.mark.parametrize(
    ("text", "said"), [("nmespace: x\n", "nmespace"), ("- 1\n", "mapping"), ("a: [\n", "not YAML")]
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    """A settings file that is wrong says where and what was expected."""
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said):
        ServiceSettings.load(file)


def test_everything_wrong_is_told_at_once_with_its_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Unknown names with the nearest right one, wrong values, what is missing, and a misspelt variable."""
    monkeypatch.delenv("LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("LAMPLIGHT_KAFKA_BOOTSTRAP_SERVER", "a:1")
    file = tmp_path / "settings.yaml"
    file.write_text("nmespace: x\n\nlog_level: loud\nstore_url: [rtsp://u:hush@h]\n")
    with pytest.raises(SettingsError) as error:
        ServiceSettings.load(file)
    told = str(error.value)
    assert f"{file}:1: setting nmespace found" in told
    assert "did you mean namespace?" in told
    assert f"{file}:3: setting log_level: 'loud' found" in told
    assert "setting kafka_bootstrap_servers: nothing found" in told
    assert "LAMPLIGHT_KAFKA_BOOTSTRAP_SERVER is set" in told
    assert "hush" not in told


def test_what_cannot_be_read_is_no_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files in another encoding, and a variable that is no JSON, are settings errors."""
    file = tmp_path / "settings.yaml"
    file.write_bytes(b"namespace: caf\xe9\n")
    with pytest.raises(SettingsError, match="UTF-8"):
        ServiceSettings.load(file)
    with pytest.raises(SettingsError, match="tokens file"):
        Tokens.read(file)
    monkeypatch.setenv("LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS", "a:1")
    monkeypatch.setenv("LAMPLIGHT_KAFKA_SECURITY", "{")
    with pytest.raises(SettingsError, match="kafka_security"):
        ServiceSettings.load()


def test_logs_hold_no_pixels_and_no_credentials() -> None:
    """Bytes become their length, arrays a word, credentials stars."""
    event = {"data": b"\xff\xd8", "url": "rtsp://u:p@cam/1", "nested": {"list": [b"1"]}}
    plain = without_pixels(None, "info", event)
    assert plain == {"data": "<2 bytes>", "url": "rtsp://***@cam/1", "nested": {"list": ["<1 bytes>"]}}


@given(
    st.text(min_size=1, max_size=12), st.sampled_from(["rtsp://u:{p}@cam/1", "http://cam/x?password={q}", "u:{q}@cam"])
)
def test_no_log_line_holds_a_password(text: str, shape: str) -> None:
    """Wherever the address stands: in a text, a list, a mapping, or an error that was given as it is."""
    password = f"zq{text}qz"
    address = shape.format(p=password, q=quote(password, safe=""))
    event = {"a": f"cannot open {address}", "b": [address], "c": {"d": (address,)}, "e": OSError(5, address)}
    told = json.dumps(without_pixels(None, "info", event))
    assert "zq" not in told
    assert "qz" not in told


def test_a_trace_goes_on() -> None:
    """A child keeps its parent's trace; nonsense begins a new one; log lines carry the trace."""
    parent = new()
    assert child(parent).split("-")[1] == parent.split("-")[1]
    assert child("nonsense").split("-")[1] != parent.split("-")[1]
    with within(parent) as own:
        assert current() == own
        assert structlog.contextvars.get_contextvars()["trace_id"] == parent.split("-")[1]
    assert current() == ""


def test_a_service_says_how_it_is_and_drains(tmp_path: Path) -> None:
    """Ready only when every part is, ports told in a file, SIGTERM drains and ends with 0."""
    ports = tmp_path / "ports.json"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(ports)], env={**os.environ, "no_proxy": "*"})
    try:
        while not ports.exists():
            assert process.poll() is None
        told = json.loads(ports.read_text())
        assert told["part"] == 7
        base = f"http://127.0.0.1:{told['http']}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert opener.open(f"{base}/healthz").status == 200
        with pytest.raises(urllib.error.HTTPError) as error:
            opener.open(f"{base}/readyz")
        assert json.loads(error.value.read()) == {"ready": False, "unready": {"part": "not yet"}}
        (tmp_path / "ports.json.go").touch()
        assert opener.open(f"{base}/readyz").status == 200
        assert b"process_cpu_seconds_total" in opener.open(f"{base}/metrics").read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert (tmp_path / "ports.json.stopped").exists()
    finally:
        process.kill()
        process.wait()


def test_lines_follow_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger bound before stderr was replaced writes to the new one, not to one that is closed."""
    before, after = io.StringIO(), io.StringIO()
    try:
        monkeypatch.setattr(sys, "stderr", before)
        configure("toy")
        log = structlog.get_logger()
        log.info("first")
        before.close()
        monkeypatch.setattr(sys, "stderr", after)
        log.info("second")
        assert "second" in after.getvalue()
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
