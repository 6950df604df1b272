"""Secrets come by reference, settings are told when they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from lamplight_ingest.adapters.secrets import Credentials, Secrets
from lamplight_ingest.model import SourceRefused
from lamplight_ingest.settings import IngestSettings
from lamplight_kit.errors import SettingsError

PASSWORD = "p:a@s/s w%rd"


def test_a_secret_is_a_file_or_a_variable(tmp_path: Path) -> None:
    """The file goes first, everything after the first colon is the password, and nothing shows it."""
    (tmp_path / "canal-12").write_text(f"admin:{PASSWORD}\n")
    environment = {"LAMPLIGHT_SECRET_CANAL_12": "other:x", "LAMPLIGHT_SECRET_QUAY": f"root:{PASSWORD}"}
    secrets = Secrets(tmp_path, environment)
    assert secrets.credentials("canal-12") == Credentials("admin", PASSWORD)
    assert secrets.credentials("quay") == Credentials("root", PASSWORD)
    assert secrets.credentials("") is None
    assert PASSWORD not in repr(secrets.credentials("quay")) + repr(secrets)


@pytest.mark.parametrize(("name", "content"), [("absent", None), ("no-colon", PASSWORD), ("no-user", f":{PASSWORD}")])
def test_a_secret_that_cannot_be_used_is_refused(tmp_path: Path, name: str, content: str | None) -> None:
    """The text tells where it was looked for, and nothing of what was found."""
    if content is not None:
        (tmp_path / name).write_text(content.replace(":", "", 1) if name == "no-colon" else content)
    with pytest.raises(SourceRefused) as error:
        Secrets(tmp_path, {}).credentials(name)
    assert name in str(error.value)
    assert "rd" not in str(error.value).replace("word", "")


def test_a_secret_is_never_looked_for_outside_its_folder(tmp_path: Path) -> None:
    """A name is a name, no path."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "outside").write_text("a:b")
    with pytest.raises(SourceRefused):
        Secrets(tmp_path / "secrets", {}).credentials("../outside")


def test_settings_become_doors_and_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are written as people write them."""
    given = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "DETECT_ADDRESS": "a:1, b:2,a:1",
        "FILE_ROOTS": "/media:/srv/clips",
        "ALLOWED_SCHEMES": "rtsp,file",
        "ALLOW_LOOPBACK": "1",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"LAMPLIGHT_{name}", value)
    settings = IngestSettings.load()
    assert settings.detect_addresses == ("a:1", "b:2")
    assert settings.doors.roots == (Path("/media"), Path("/srv/clips"))
    assert (settings.doors.schemes, settings.doors.allow_loopback) == (frozenset({"rtsp", "file"}), True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_SCHEMES", "rtsp,gopher"),
        ("FILE_ROOTS", "media"),
        ("SOURCE_TIMEOUT_S", "0"),
        ("MAX_PICTURE_BYTES", "x"),
    ],
)
def test_a_wrong_setting_is_told_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """The start stops with it."""
    monkeypatch.setenv("LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv(f"LAMPLIGHT_{name}", value)
    with pytest.raises(SettingsError, match=f"LAMPLIGHT_{name}"):
        IngestSettings.load()
