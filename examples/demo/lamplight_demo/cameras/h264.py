"""H.264 as bytes: NAL units out of an Annex B stream, and into RTP payloads (RFC 6184)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

START_CODE = re.compile(rb"\x00\x00\x00?\x01")
NAL_TYPE_MASK = 0x1F
NAL_SPS, NAL_PPS = 7, 8
FU_A = 28
FU_START, FU_END = 0x80, 0x40


@dataclass(frozen=True)
class AccessUnit:
    """One encoded picture: its NAL units without start codes, and its times in seconds from the file's first picture.

    `dts_s` says when to send it, `pts_s` when it is shown; they differ where the encoder reorders pictures.
    """

    nals: tuple[bytes, ...]
    dts_s: float
    pts_s: float
    key: bool


def nal_type(nal: bytes) -> int:
    """Return the unit's type, 1 to 31 (ITU-T H.264 table 7-1)."""
    return nal[0] & NAL_TYPE_MASK


def split_annexb(stream: bytes) -> tuple[bytes, ...]:
    """Split `stream` at its start codes (ITU-T H.264 annex B) into NAL units, none of them empty."""
    units = (unit.rstrip(b"\x00") for unit in START_CODE.split(stream))
    return tuple(unit for unit in units if unit)


def payloads(nal: bytes, max_bytes: int) -> list[bytes]:
    """Return the RTP payloads of one NAL unit: itself if it fits in `max_bytes`, else FU-A parts (RFC 6184, 5.8)."""
    if len(nal) <= max_bytes:
        return [nal]
    indicator = (nal[0] & ~NAL_TYPE_MASK) | FU_A
    step = max_bytes - 2
    parts = [nal[at : at + step] for at in range(1, len(nal), step)]
    last = len(parts) - 1
    return [
        bytes((indicator, nal_type(nal) | (FU_START if i == 0 else 0) | (FU_END if i == last else 0))) + part
        for i, part in enumerate(parts)
    ]


def parameter_sets(units: list[AccessUnit]) -> tuple[bytes, bytes]:
    """Return the first sequence and picture parameter set that `units` carry; `ValueError` where there is none."""
    nals = [nal for unit in units for nal in unit.nals]
    sps = next((nal for nal in nals if nal_type(nal) == NAL_SPS), None)
    pps = next((nal for nal in nals if nal_type(nal) == NAL_PPS), None)
    if sps is None or pps is None:
        message = f"{len(units)} pictures without parameter sets; H.264 with SPS and PPS expected"
        raise ValueError(message)
    return sps, pps


def fmtp(sps: bytes, pps: bytes) -> str:
    """Return the SDP format parameters of a stream with these parameter sets (RFC 6184, 8.2.1)."""
    sets = ",".join(base64.b64encode(nal).decode() for nal in (sps, pps))
    return f"packetization-mode=1;profile-level-id={sps[1:4].hex().upper()};sprop-parameter-sets={sets}"
