"""Run by the Python of BlazeFace's own environment: pictures come by stdin, each after its length; faces leave as JSON.

Of `mediapipe` only the face detector is loaded; what draws and what trains is left out, and so need not be installed.
"""

from __future__ import annotations

import json
import struct
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

LEFT_OUT = ("mediapipe.tasks", "mediapipe.tasks.python", "matplotlib", "matplotlib.pyplot")
LEAST_SCORE = 0.5
OVERLAP = 0.3
FULL_RANGE = 1


class Nothing(ModuleType):
    """Stands where a module is left out: any name in it is an empty class."""

    __path__: list[str] = []  # noqa: RUF012 - what an import looks for in a package

    def __getattr__(self, name: str) -> type:
        """Return an empty class for any name but the import system's own."""
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def main() -> None:
    """Answer until stdin ends."""
    sys.modules.update({name: Nothing(name) for name in LEFT_OUT})
    cv2, numpy = import_module("cv2"), import_module("numpy")
    detection = import_module("mediapipe.python.solutions.face_detection")
    detector = detection.FaceDetection(min_detection_confidence=LEAST_SCORE, model_selection=FULL_RANGE)
    while len(head := sys.stdin.buffer.read(4)) == 4:
        data = sys.stdin.buffer.read(struct.unpack(">I", head)[0])
        rgb = cv2.cvtColor(cv2.imdecode(numpy.frombuffer(data, numpy.uint8), 1), cv2.COLOR_BGR2RGB)
        sys.stdout.write(json.dumps(faces(detector, rgb)) + "\n")
        sys.stdout.flush()


def faces(detector: Any, rgb: Any) -> list[list[float]]:
    """Return score, left, top, right and bottom of the faces in `rgb`, looked at as a whole and in 2x2 tiles."""
    height, width = rgb.shape[:2]
    found = []
    for top, left, rows, columns in [(0, 0, height, width), *tiles(height, width)]:
        part = rgb[top : top + rows, left : left + columns].copy()
        for one in detector.process(part).detections or []:
            box = one.location_data.relative_bounding_box
            x, y = left + box.xmin * columns, top + box.ymin * rows
            found.append([one.score[0], x, y, x + box.width * columns, y + box.height * rows])
    return found


def tiles(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Return top, left, height and width of four tiles that overlap."""
    rows, columns = (int(side / (2 - OVERLAP)) + 1 for side in (height, width))
    return [(top, left, rows, columns) for top in (0, height - rows) for left in (0, width - columns)]


if __name__ == "__main__":
    main()
