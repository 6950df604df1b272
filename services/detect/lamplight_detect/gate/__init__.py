"""The privacy gate: the one door through which a picture leaves. Encoders of pictures are called nowhere else."""

from lamplight_detect.gate.aside import Aside
from lamplight_detect.gate.fill import Backdrop, Snapped
from lamplight_detect.gate.gate import Gate, Released, Searched
from lamplight_detect.gate.look import Look
from lamplight_detect.gate.masks import cut
from lamplight_detect.gate.motion import Recent, Sample
from lamplight_detect.gate.picture import KINDS, GateClosed, RedactedPicture
from lamplight_detect.gate.policy import VERSION, Policy
from lamplight_detect.gate.seal import Sealer, Signer, Source
from lamplight_detect.gate.view import View

__all__ = [
    "KINDS",
    "VERSION",
    "Aside",
    "Backdrop",
    "Gate",
    "GateClosed",
    "Look",
    "Policy",
    "Recent",
    "RedactedPicture",
    "Released",
    "Sample",
    "Sealer",
    "Searched",
    "Signer",
    "Snapped",
    "Source",
    "View",
    "cut",
]
