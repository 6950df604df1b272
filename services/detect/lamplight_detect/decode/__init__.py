"""Decoding: encoded pictures into arrays, within bounds that are checked before any decoder runs."""

from lamplight_detect.decode.limits import LeftOut, Unreadable
from lamplight_detect.decode.pictures import Decoder, Picture, Stamp
from lamplight_detect.decode.stills import decode_still
from lamplight_detect.decode.video import Decoded, VideoDecoder

__all__ = ["Decoded", "Decoder", "LeftOut", "Picture", "Stamp", "Unreadable", "VideoDecoder", "decode_still"]
