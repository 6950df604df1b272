"""ONVIF's requests and answers: Core Specification 5.9.4 (GetServices), Media and Media2 Service Specifications."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit
from xml.sax.saxutils import escape

from lamplight_ingest.onvif.xml import Element

MAX_PROFILES = 16
DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"
_SCHEMA = "http://www.onvif.org/ver10/schema"
_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_FAULTS = frozenset(
    {"NotAuthorized", "FailedAuthentication", "InvalidSecurity", "InvalidSecurityToken", "Unauthorized", "FailedCheck"}
    | {"ActionNotSupported", "ActionFailed", "OperationProhibited", "InvalidArgVal", "InvalidArgs", "OutofMemory"}
    | {
        "InternalError",
        "CriticalError",
        "NoProfile",
        "NoEntity",
        "NoSource",
        "IncompleteConfiguration",
        "NoSuchService",
    }
    | {"InvalidStreamSetup", "StreamConflict", "WellFormed", "Tag", "TagMismatch", "Namespace", "MissingAttr"}
    | {"ProhibitAttr", "UnknownAction", "TooManyAttrs", "MustUnderstand", "VersionMismatch", "Sender", "Receiver"}
)
"""ONVIF Core Specification, 5.8.2 and the media services' own; WS-Security, 12."""
_CODECS = {"H264": "h264", "H265": "hevc", "HEVC": "hevc", "JPEG": "mjpeg", "MPEG4": "mpeg4", "MPV4-ES": "mpeg4"}


@dataclass(frozen=True)
class Profile:
    """One stream that a device offers; sizes and rates are 0, addresses empty, where it does not tell them."""

    token: str
    name: str
    codec: str
    frame_hw: tuple[int, int]
    rate_hz: float
    keyframe_interval_s: float
    bitrate_kbps: float
    stream: str = ""
    snapshot: str = ""
    note: str = ""


def envelope(body: str, header: str = "") -> bytes:
    """Return a SOAP 1.2 message."""
    head = f"<s:Header>{header}</s:Header>" if header else ""
    text = f'<s:Envelope xmlns:s="{_SOAP}">{head}<s:Body>{body}</s:Body></s:Envelope>'
    return f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


def security(user: str, password: str, nonce: bytes, created: dt.datetime) -> str:
    """Return a UsernameToken whose password is a digest (WSS UsernameToken Profile 1.0, 3.1)."""
    at = created.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    # SHA-1 is what the profile prescribes.
    digest = hashlib.sha1(nonce + at.encode() + password.encode(), usedforsecurity=False).digest()
    told, proof = base64.b64encode(nonce).decode(), base64.b64encode(digest).decode()
    return (
        f'<Security s:mustUnderstand="1" xmlns="{_OASIS}-wssecurity-secext-1.0.xsd"><UsernameToken>'
        f"<Username>{escape(user)}</Username>"
        f'<Password Type="{_OASIS}-username-token-profile-1.0#PasswordDigest">{proof}</Password>'
        f'<Nonce EncodingType="{_OASIS}-soap-message-security-1.0#Base64Binary">{told}</Nonce>'
        f'<Created xmlns="{_OASIS}-wssecurity-utility-1.0.xsd">{at}</Created></UsernameToken></Security>'
    )


def get_date() -> str:
    """Return the request for the device's clock, which needs no password."""
    return f'<GetSystemDateAndTime xmlns="{DEVICE}"/>'


def get_services() -> str:
    """Return the request for the addresses of all services."""
    return f'<GetServices xmlns="{DEVICE}"><IncludeCapability>false</IncludeCapability></GetServices>'


def get_capabilities() -> str:
    """Return the same request for older devices."""
    return f'<GetCapabilities xmlns="{DEVICE}"><Category>All</Category></GetCapabilities>'


def get_profiles(media: str) -> str:
    """Return the request for the profiles of a media service."""
    kind = "<Type>VideoEncoder</Type>" if media == MEDIA2 else ""
    return f'<GetProfiles xmlns="{media}">{kind}</GetProfiles>'


def get_stream_uri(media: str, token: str) -> str:
    """Return the request for a profile's RTSP address."""
    profile = f"<ProfileToken>{escape(token)}</ProfileToken>"
    if media == MEDIA2:
        return f'<GetStreamUri xmlns="{media}"><Protocol>RTSP</Protocol>{profile}</GetStreamUri>'
    setup = (
        f'<Stream xmlns="{_SCHEMA}">RTP-Unicast</Stream>'
        f'<Transport xmlns="{_SCHEMA}"><Protocol>RTSP</Protocol></Transport>'
    )
    return f'<GetStreamUri xmlns="{media}"><StreamSetup>{setup}</StreamSetup>{profile}</GetStreamUri>'


def get_snapshot_uri(media: str, token: str) -> str:
    """Return the request for a profile's snapshot address."""
    return f'<GetSnapshotUri xmlns="{media}"><ProfileToken>{escape(token)}</ProfileToken></GetSnapshotUri>'


def fault_of(answer: Element) -> str:
    """Return the standard's name of a fault, since a device's own words may hold anything; empty for no fault."""
    fault = next(answer.all("Fault"), None)
    if fault is None:
        return ""
    codes = [value.text.strip().rpartition(":")[2] for value in fault.all("Value")]
    reason = fault.word("Reason", "Text") or fault.word("faultstring")
    code = codes[-1] if codes else fault.word("faultcode").rpartition(":")[2]
    if code in _FAULTS:
        return code
    return "NotAuthorized" if "authori" in reason.lower() else "a fault that no standard names"


def date_of(answer: Element) -> dt.datetime | None:
    """Return the device's clock; None where it tells none that can be read."""
    date, time = answer.first("UTCDateTime", "Date"), answer.first("UTCDateTime", "Time")
    if date is None or time is None:
        return None
    try:
        year, month, day = (int(date.word(name)) for name in ("Year", "Month", "Day"))
        hour, minute, second = (int(time.word(name)) for name in ("Hour", "Minute", "Second"))
        return dt.datetime(year, month, day, hour, minute, min(59, second), tzinfo=dt.UTC)
    except ValueError:
        return None


def services_of(answer: Element) -> Mapping[str, str]:
    """Return the address of each service by its namespace, from either request."""
    found = {each.word("Namespace"): each.word("XAddr") for each in answer.all("Service")}
    older = answer.word("Capabilities", "Media", "XAddr")
    if older:
        found.setdefault(MEDIA, older)
    return {namespace: address for namespace, address in found.items() if address}


def profiles_of(answer: Element) -> Sequence[Profile]:
    """Return the profiles that encode video, at most a few."""
    return [_profile(each) for each in answer.all("Profiles") if _encoder(each) is not None][:MAX_PROFILES]


def uri_of(answer: Element) -> str:
    """Return the address in an answer; empty where there is none."""
    return answer.word("Uri")


def rehosted(address: str, asked: str) -> str:
    """Return `address` with the host of `asked`: behind a NAT devices tell the address that they know themselves by.

    Its own port holds where it is of another scheme than what was asked, or of the host that was asked.
    """
    told, own = urlsplit(address), urlsplit(asked)
    host = f"[{own.hostname}]" if ":" in (own.hostname or "") else own.hostname or ""
    try:
        port = told.port if told.scheme != own.scheme or told.hostname == own.hostname else own.port
    except ValueError:
        port = None
    return urlunsplit(told._replace(netloc=f"{host}:{port}" if port else host))


def _encoder(profile: Element) -> Element | None:
    return profile.first("VideoEncoderConfiguration") or profile.first("Configurations", "VideoEncoder")


def _profile(profile: Element) -> Profile:
    encoder = _encoder(profile) or profile
    told = encoder.word("Encoding")
    rate_hz = encoder.number("RateControl", "FrameRateLimit")
    keys = encoder.number("GovLength") or _number(encoder.attributes.get("GovLength", ""))
    size = (int(encoder.number("Resolution", "Height")), int(encoder.number("Resolution", "Width")))
    return Profile(
        token=profile.attributes.get("token", ""),
        name=profile.word("Name") or profile.attributes.get("token", ""),
        codec=_CODECS.get(told.upper(), told.lower()),
        frame_hw=size,
        rate_hz=rate_hz,
        keyframe_interval_s=round(keys / rate_hz, 3) if rate_hz else 0.0,
        bitrate_kbps=encoder.number("RateControl", "BitrateLimit"),
    )


def _number(text: str) -> float:
    return float(text) if text.isdigit() and len(text) < 9 else 0.0
