"""Reading a manifest from YAML and checking all of it: a model is used only with a manifest that is whole."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType

from lamplight_kit.onnx.errors import ModelMissing
from lamplight_kit.onnx.manifest import (
    GOLDEN_COMMAND,
    ClassName,
    Decode,
    Golden,
    GoldenOutput,
    Input,
    Kind,
    Manifest,
    Output,
    Role,
    Shape,
    Source,
    SourceFile,
)
from lamplight_kit.onnx.yaml_reader import Reader, a_count, a_list, a_mapping, a_number, a_text, numbers

VERSION = 1
FITS = ("letterbox", "stretch", "free")
DECODERS = {
    "nanodet": {"scores", "sides"},
    "centerface": {"heatmap", "log_size", "offset"},
    "centernet": {"heatmap", "sides"},
    "embedding": {"embedding"},
}
"""The decoders that Lamplight has, and the meanings of outputs that each cannot do without."""
DIGITS = "64 hexadecimal digits (in quotes where all look like a number)"
PIXEL_MAX = 255
RANK = 4


def read_manifest(path: Path) -> Manifest:
    """Read and wholly check the manifest at `path`.

    Raises ModelMissing where there is none, BadInput with every problem (file, line, value, expected, cure) in it.
    """
    try:
        top = Reader.of(path)
    except OSError as error:
        text = f"{path}: {error.strerror} found, a model's manifest expected; run `make models`"
        raise ModelMissing(text) from error
    manifest = _manifest(top, path)
    _check_together(top, manifest)
    top.finish()
    return manifest


def _manifest(top: Reader, path: Path) -> Manifest:
    top.take("version", _version, f"{VERSION}", VERSION)
    return Manifest(
        path=path,
        name=top.take("name", _name, "a name of a-z, 0-9 and -", ""),
        role=Role(top.one_of("role", tuple(Role))),
        file=path.parent / top.take("file", _file_name, "the name of an .onnx file beside the manifest", "none.onnx"),
        sha256=top.take("sha256", _sha256, DIGITS, ""),
        licence=top.text("licence"),
        upstream=top.text("upstream", optional=True),
        input=_input(top.inner("input")),
        outputs=tuple(_output(entry) for entry in top.each("outputs")),
        decode=_decode(top.inner("decode")),
        classes=tuple(_class_name(entry) for entry in top.each("classes", optional=True)),
        thresholds=MappingProxyType(top.take("thresholds", _thresholds, "names with scores from 0 to 1", {})),
        golden=_golden(top.inner("golden")) if "golden" in top.node else None,
        source=_source(top.inner("source")) if "source" in top.node else None,
    )


def _input(at: Reader) -> Input:
    found = Input(
        name=at.text("name"),
        shape=at.take("shape", _image_shape, "[N, 3, height, width], a free axis by a name", ("N", 3, "H", "W")),
        colours=at.one_of("colours", ("RGB", "BGR")),
        mean=at.take("mean", _triple, "three numbers, a colour each", (0.0, 0.0, 0.0)),
        std=at.take("std", _divisors, "three numbers other than 0", (1.0, 1.0, 1.0)),
        fit=at.one_of("fit", FITS),
        pad=at.take("pad", _pixel, "a whole number from 0 to 255", 0, optional=True),
        multiple_of=at.take("multiple_of", a_count, "a whole number above 0", 1, optional=True),
    )
    if (found.fit == "free") is not (found.input_hw is None):
        at.note("fit", "free just where height and width are names in shape", "make fit and shape agree")
    at.close()
    return found


def _output(at: Reader) -> Output:
    found = Output(
        name=at.text("name"),
        shape=at.take("shape", _shape, "a list of numbers and names", ()),
        meaning=at.text("meaning"),
        stride=at.take("stride", _stride, "a whole number above 0", None, optional=True),
    )
    at.close()
    return found


def _decode(at: Reader) -> Decode:
    kind = at.one_of("kind", tuple(DECODERS))
    rest = [str(key) for key in at.node if key != "kind"]
    found = {key: at.take(key, a_number, "a number", 0.0) for key in rest}
    return Decode(kind, MappingProxyType(found))


def _class_name(at: Reader) -> ClassName:
    found = ClassName(at.text("name"), Kind(at.one_of("kind", tuple(Kind))))
    at.close()
    return found


def _golden(at: Reader) -> Golden:
    found = Golden(
        shape=at.take("shape", _fixed_shape, "[1, 3, height, width] in numbers", ()),
        tolerance=at.take("tolerance", _share, "a number above 0 and up to 1", 1.0),
        outputs=tuple(_golden_output(entry) for entry in at.each("outputs")),
    )
    at.close()
    return found


def _golden_output(at: Reader) -> GoldenOutput:
    found = GoldenOutput(
        name=at.text("name"),
        mean=at.take("mean", a_number, "a number", 0.0),
        std=at.take("std", a_number, "a number", 0.0),
        values=at.take("values", numbers, "a list of numbers", ()),
    )
    at.close()
    return found


def _source(at: Reader) -> Source:
    found = Source(
        index=at.one_of("index", ("npm", "pypi")),
        package=at.text("package"),
        version=at.text("version"),
        sha256=at.take("sha256", _sha256, DIGITS, ""),
        size_bytes=at.take("size_bytes", a_count, "a whole number above 0", 1),
        licence=at.text("licence"),
        files=tuple(_source_file(entry) for entry in at.each("files")),
        recipe=at.text("recipe"),
    )
    at.close()
    return found


def _source_file(at: Reader) -> SourceFile:
    found = SourceFile(at.text("path"), at.take("sha256", _sha256, DIGITS, ""))
    at.close()
    return found


def _check_together(top: Reader, manifest: Manifest) -> None:
    """Note what no field shows alone."""
    names = [output.name for output in manifest.outputs]
    if len(set(names)) != len(names):
        top.note("outputs", "each name once", "rename or remove the second")
    lacking = DECODERS[manifest.decode.kind] - {output.meaning for output in manifest.outputs}
    if lacking:
        top.note("outputs", f"meanings {', '.join(sorted(lacking))} for decode.kind", "add them, or mend decode.kind")
    classes = manifest.class_names()
    if len(set(classes)) != len(classes):
        top.note("classes", "each name once", "rename or remove the second")
    if manifest.role == Role.THINGS and Kind.PERSON not in {entry.kind for entry in manifest.classes}:
        top.note("classes", "a class of kind person, since people are masked by it", "mark the class, or take a model")
    for output in manifest.outputs:
        if output.meaning == "scores" and output.shape[-1:] != (len(classes),):
            top.note("classes", f"as many as the last axis of {output.name}, {output.shape}", "list every class")
    if manifest.golden and {entry.name for entry in manifest.golden.outputs} != set(names):
        top.note("golden", "an entry for each output", f"take what `{GOLDEN_COMMAND} {manifest.path}` prints")


def _version(value: object) -> int:
    if value != VERSION or isinstance(value, bool):
        raise ValueError
    return VERSION


def _name(value: object) -> str:
    return _matching(r"[a-z0-9][a-z0-9-]*", value)


def _file_name(value: object) -> str:
    return _matching(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.onnx", value)


def _sha256(value: object) -> str:
    return _matching(r"[0-9a-f]{64}", value)


def _matching(pattern: str, value: object) -> str:
    text = a_text(value)
    if not re.fullmatch(pattern, text):
        raise ValueError
    return text


def _axis(value: object) -> int | str:
    return a_text(value) if isinstance(value, str) else a_count(value)


def _shape(value: object) -> Shape:
    found = tuple(_axis(item) for item in a_list(value))
    if not found:
        raise ValueError
    return found


def _image_shape(value: object) -> Shape:
    found = _shape(value)
    if len(found) != RANK or found[1] != 3 or isinstance(found[2], int) is not isinstance(found[3], int):
        raise ValueError
    return found


def _fixed_shape(value: object) -> tuple[int, ...]:
    found = tuple(a_count(item) for item in a_list(value))
    if len(found) != RANK:
        raise ValueError
    return found


def _triple(value: object) -> tuple[float, float, float]:
    first, second, third = numbers(value)
    return first, second, third


def _divisors(value: object) -> tuple[float, float, float]:
    found = _triple(value)
    if 0.0 in found:
        raise ValueError
    return found


def _pixel(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= PIXEL_MAX:
        raise ValueError
    return int(value)


def _stride(value: object) -> int | None:
    return a_count(value)


def _share(value: object) -> float:
    found = a_number(value)
    if not 0 < found <= 1:
        raise ValueError
    return found


def _score(value: object) -> float:
    found = a_number(value)
    if not 0 <= found <= 1:
        raise ValueError
    return found


def _thresholds(value: object) -> dict[str, float]:
    return {str(key): _score(score) for key, score in a_mapping(value).items()}
