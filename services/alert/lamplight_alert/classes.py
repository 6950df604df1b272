"""The classes of the default models that may be counted: people, vehicles, animals, fixed things; nothing worn or held.

From the 80 classes of COCO (https://cocodataset.org/#explore); `countable_classes` in the settings replaces them.
"""

from __future__ import annotations

COUNTABLE = (
    "person",
    *("bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"),
    *("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"),
    *("traffic light", "fire hydrant", "stop sign", "parking meter", "bench"),
    *("chair", "couch", "potted plant", "bed", "dining table", "toilet", "tv", "microwave", "oven", "sink"),
    *("refrigerator", "clock", "vase"),
)
# Things that may stand apart from anyone's body, too.
STANDING = ("backpack", "handbag", "suitcase", "skateboard", "surfboard", "skis", "snowboard", "sports ball", "bottle")
