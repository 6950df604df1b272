"""What may be repeated of what a server says: the names that we know, and never its own words.

A server that was sent a password may put it, or a part of it, into any of its words, however written: a reason, a
header, a description. What it says is therefore told by names out of our own lists alone. Pure.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from http import HTTPStatus

_RTSP = {
    451: "Parameter Not Understood",
    452: "Conference Not Found",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid In This State",
    456: "Header Field Not Valid",
    457: "Invalid Range",
    458: "Parameter Is Read-Only",
    459: "Aggregate Operation Not Allowed",
    460: "Only Aggregate Operation Allowed",
    461: "Unsupported Transport",
    462: "Destination Unreachable",
    551: "Option Not Supported",
}
"""RFC 2326, 7.1.1; the other codes of RTSP are HTTP's."""
_HTTP = {status.value: status.phrase for status in HTTPStatus}
_LOGIN_WORDS = {
    name.lower(): name
    for name in frozenset(
        {"Basic", "Digest", "Bearer", "Negotiate", "NTLM", "OAuth", "HOBA", "Mutual", "SCRAM-SHA-256"}
    )
    | {"auth", "auth-int", "MD5", "MD5-sess", "SHA-1", "SHA256", "SHA-256", "SHA-256-sess", "SHA-512", "SHA-512-256"}
    | {"SHA-512-256-sess", "AKAv1-MD5", "AKAv2-MD5"}
}
"""IANA's registries of HTTP authentication schemes and of Digest algorithms, as cameras write them."""
_OWN = frozenset({"NetworkError", "TimeoutException"})
_KINDS = frozenset({"audio", "video", "application", "text", "message", "image"})
_CODINGS = frozenset(
    {"H261", "H263", "H263-1998", "H263-2000", "H264", "H265", "H266", "JPEG", "JPEG2000", "MP4V-ES", "MPEG4-GENERIC"}
    | {"MPV", "MP2T", "VP8", "VP9", "AV1", "THEORA", "RAW"}
)


def rtsp_status(status: int) -> str:
    """Return an RTSP status with the standard's own words for it."""
    return f"{status} {_RTSP.get(status) or _HTTP.get(status, '')}".rstrip()


def http_status(status: int) -> str:
    """Return an HTTP status with the standard's own words for it."""
    return f"{status} {_HTTP.get(status, '')}".rstrip()


def fault(error: Exception) -> str:
    """Return what went wrong with a connection; of what the server sent, no more than the error's name.

    An error of the machine's own (`OSError`, what httpx makes of one) says what we did, not what we were told.
    """
    is_ours = isinstance(error, OSError) or any(each.__name__ in _OWN for each in type(error).__mro__)
    cure = "; is the address right, and the camera switched on?" if is_ours else "; look at what the server sends"
    said = " ".join(f"{type(error).__name__} {_own_words(error) if is_ours else ''}".split())
    return said + cure


def _own_words(error: Exception) -> str:
    """Return what an error of the machine's own says, without the address, which a redirect may have named."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror or "")  # below 0: the resolver's
    return "" if type(error).__module__.startswith("aiohttp") else str(error)


def kinds(told: Iterable[str]) -> str:
    """Return the kinds of media that a description holds, those that nobody has heard of by `something else`."""
    return _named({kind if kind in _KINDS else "something else" for kind in told}) or "nothing"


def codings(told: Iterable[str]) -> str:
    """Return the codings of video that a description names, those that nobody has heard of by `another coding`."""
    upper = {name.upper() for name in told}
    return _named({name if name in _CODINGS else "another coding" for name in upper}) or "a video without a name"


def login_word(told: str) -> str:
    """Return what a challenge calls its scheme, algorithm or protection (several by commas), where we know the name."""
    words = [_LOGIN_WORDS.get(word.strip().lower(), "another kind") for word in told.split(",")]
    return ",".join(dict.fromkeys(words))


def _named(names: set[str]) -> str:
    return ", ".join(sorted(names))
