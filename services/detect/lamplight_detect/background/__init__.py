"""The place without people: learnt from searched pictures alone, and what stands before it unexplained."""

from lamplight_detect.background.ground import Ground
from lamplight_detect.background.light import Light, light_of
from lamplight_detect.background.scene import Candidate, Scene, Seen

__all__ = ["Candidate", "Ground", "Light", "Scene", "Seen", "light_of"]
