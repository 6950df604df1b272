"""Bytes as libavcodec wants them: in memory of its own that zeros follow.

A packet around Python's bytes is followed by whatever lies behind them, which decoders read ahead (64 bytes,
AV_INPUT_BUFFER_PADDING_SIZE): of a whole MPEG-4 picture some then say that it is damaged.
"""

from __future__ import annotations

from typing import cast

import av


def packet_of(data: bytes) -> av.Packet[av.VideoStream]:
    """Return `data` as a packet of a video."""
    packet = cast("av.Packet[av.VideoStream]", av.Packet(len(data)))
    packet.update(data)
    return packet
