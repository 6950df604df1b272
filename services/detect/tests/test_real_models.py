"""Detect on the default models: they answer, and the gate closes when one is spoilt; what footage shows.

Malformed files are in tests/media. `LAMPLIGHT_TEST_MEDIA` names a folder of footage laid out as bench/sites.tsv says;
what needs it is skipped without.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lamplight_detect import bench
from lamplight_detect.bootstrap import local
from lamplight_kit.onnx import ModelBroken, ModelMissing
from lamplight_kit.seal import KeyRing, verify
from lamplight_models import default_folder, missing

MODELS = default_folder(os.environ)
MEDIA = Path(os.environ.get("LAMPLIGHT_TEST_MEDIA", ""))
ROOT = Path(bench.__file__).parents[3]
SITES, MALFORMED = ROOT / "bench" / "sites.tsv", ROOT / "tests" / "media" / "robustness"
pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(bool(missing(MODELS)), reason="the models are not ready: run `make models`"),
]
needs_media = pytest.mark.skipif(
    "LAMPLIGHT_TEST_MEDIA" not in os.environ, reason="no footage: set LAMPLIGHT_TEST_MEDIA to its folder"
)
PROGRAM = """
import json, os, resource, signal, sys
from pathlib import Path
from lamplight_detect.decode import Unreadable, decode_still
from lamplight_detect.adapters.video_file import VideoFile
def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
def told_of(path):
    try:
        return list(decode_still(path.read_bytes()).shape)
    except Unreadable as error:
        told = str(error)
    if path.suffix in (".mp4", ".ts"):
        try:
            told = sum(1 for _ in VideoFile(path).pictures()) or "no picture is whole"
        except Unreadable as error:
            told = str(error)
    return told
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        before = megabytes()
        told = told_of(Path(name))
        print(json.dumps({"file": name, "told": told, "megabytes": megabytes() - before}), flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        print(json.dumps({"file": name, "status": status}), flush=True)
"""


def dev_files(start: str) -> list[Path]:
    """Return the files of dev sites below a folder of the footage."""
    with SITES.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["split"] == "dev"]
    return sorted(path for row in rows for part in row["files"].split() for path in MEDIA.glob(part) if start in part)


def test_a_picture_goes_through_the_real_gate() -> None:
    """A made-up street comes back sealed, attested with both models' checksums."""
    detect = local()
    result = detect.redactor.redact_picture(bench.street(1, detect.redactor.gate)[0])
    ring = KeyRing()
    ring.add(detect.key)
    said = verify(result.picture, ring).attestation
    assert {role: len(sha) for role, sha in said.models_sha256.items()} == {"things": 64, "faces": 64}


@pytest.mark.parametrize("name", ["nanodet", "centerface"])
def test_a_model_that_is_not_what_its_manifest_says_stops_the_start(tmp_path: Path, name: str) -> None:
    """Without a model, or with one whose checksum differs, there is no gate at all."""
    for path in MODELS.glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ModelMissing):
        local(models=tmp_path)
    for path in MODELS.glob("*.onnx"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    model = tmp_path / f"{name}.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\x00\x00")
    with pytest.raises(ModelBroken, match="sha256"):
        local(models=tmp_path)


def test_the_bench_says_what_it_compares(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short run of the bench gives its measures in the form that `lamplight bench` prints."""
    monkeypatch.setattr(bench, "ROUNDS", 1)
    told = bench.run(frames=2)
    assert json.loads(json.dumps(told)) == told
    measures = told["measures"]
    assert isinstance(measures, list)
    assert {"cpu_a_frame_fp32", "bare_cpu_a_frame_fp32", "bare_over_detect_fp32"} <= {one["name"] for one in measures}


def test_malformed_files_end_in_a_picture_or_a_reason() -> None:
    """Each malformed file, decoded in a process of its own, ends in time, with at most 256 MiB more than before."""
    files = sorted(str(path) for path in MALFORMED.iterdir() if path.suffix != ".md")
    assert len(files) > 30
    done = subprocess.run([sys.executable, "-c", PROGRAM, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == files
    for line in lines:
        assert "status" not in line, line
        assert line["told"], line
        assert line["megabytes"] < 256, line


@needs_media
def test_people_are_masked_on_dev_pictures() -> None:
    """On dev pictures with people something of a person is masked, and on an animals' field hardly anything."""
    redactor = local().redactor
    for path in dev_files("people_objects"):
        result = redactor.redact_picture(path.read_bytes())
        if path.name in {"darknet_horses.jpg", "usgov_34501842524.jpg"}:
            assert result.masked_share < 0.1, path.name
        elif not path.name.startswith(("darknet", "usgov")):
            assert result.masks["person"] >= 1, path.name
