"""What fuzzing does to bytes that are right."""

from __future__ import annotations

import random
import struct


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return `data` with a few bytes changed, cut out, doubled, or blown up."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(6):
            case 0 if at < len(out):
                out[at] = rng.randrange(256)
            case 1:
                del out[at : at + rng.randint(1, 200)]
            case 2:
                out[at:at] = rng.randbytes(rng.randint(1, 20))
            case 3:
                out[at:at] = out[at : at + rng.randint(1, 400)]
            case 4 if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
            case _:
                out[at:at] = rng.choice([b"\r\n\r\n", b"$", b"RTSP/1.0 200 OK\r\n", b": " * 30, struct.pack(">I", at)])
    return bytes(out)
