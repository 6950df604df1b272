"""Asks an ONVIF device what it offers: our HTTP client, its doors and bounds; a password only as a digest."""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lamplight_contracts.secrets import has_secret
from lamplight_kit.clock import Clock

from lamplight_ingest import doors as addresses
from lamplight_ingest.adapters.http_client import HttpClient
from lamplight_ingest.adapters.http_hosts import HttpHosts
from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.doors import Address
from lamplight_ingest.model import NS_PER_S, SourceAway, SourceError, SourceRefused
from lamplight_ingest.onvif import messages, xml
from lamplight_ingest.onvif.messages import MEDIA, MEDIA2, Profile
from lamplight_ingest.scrub import scrub

DEVICE_PATH = "/onvif/device_service"
_HEADERS = {"Content-Type": "application/soap+xml; charset=utf-8", "Accept": "application/soap+xml, text/xml"}
_OK = 200
_HAS_FAULT = frozenset({400, 401, 403, 500})
_NO_RIGHTS = ("NotAuthorized", "FailedAuthentication", "InvalidSecurity", "Unauthorized")


@dataclass(frozen=True)
class Device:
    """What a device tells: its profiles, and by how many seconds its clock is ahead of ours (None: not told)."""

    profiles: Sequence[Profile]
    ahead_s: float | None


def device_address(source: str) -> Address | None:
    """Return where a device is asked, None for an address that is no device's (onvif://host, or …/onvif/device…)."""
    if source.lower().startswith("onvif://"):
        rest = source[len("onvif://") :]
        path = "" if "/" in rest.rstrip("/") else DEVICE_PATH
        return addresses.parse(f"http://{rest.rstrip('/')}{path}")
    address = addresses.parse(source)
    is_device = address.scheme in ("http", "https") and "/onvif/device" in source.lower()
    return address if is_device else None


class OnvifDevice:
    """One device; each call is one exchange, and every address that it names is held to the host that was asked."""

    def __init__(self, address: Address, credentials: Credentials | None, hosts: HttpHosts, clock: Clock) -> None:
        """Prepare; nothing connects until `describe`."""
        self._address = address
        self._credentials = credentials
        self._client = HttpClient(address, credentials, hosts)
        self._doors = hosts.doors
        self._clock = clock
        self._ahead_s: float | None = None

    def describe(self) -> Device:
        """Ask for clock, services, profiles and addresses; raises `SourceAway` or `SourceRefused`."""
        self._ahead_s = self._clock_ahead_s()
        services = self._services()
        profiles: list[Profile] = []
        for media in (MEDIA2, MEDIA):
            if media in services:
                profiles = self._profiles(media, services[media], is_last=media == MEDIA or MEDIA not in services)
            if profiles:
                break
        if not profiles:
            raise SourceRefused(self._client.said("an ONVIF device without a video profile found, one expected"))
        return Device(profiles, self._ahead_s)

    def close(self) -> None:
        """End `describe`, which raises `SourceAway` or tells what it has; any thread."""
        self._client.close()

    def _clock_ahead_s(self) -> float | None:
        try:
            told = messages.date_of(self._ask(self._address.text, messages.get_date(), is_signed=False))
        except SourceRefused:
            return None
        return None if told is None else round(told.timestamp() - self._clock.now_ns() / NS_PER_S, 1)

    def _services(self) -> dict[str, str]:
        try:
            answer = self._ask(self._address.text, messages.get_services())
        except SourceRefused as refused:
            if any(word in str(refused) for word in _NO_RIGHTS):
                raise
            answer = self._ask(self._address.text, messages.get_capabilities())
        services: dict[str, str] = {}
        for name, address in messages.services_of(answer).items():
            with contextlib.suppress(ValueError):  # what is no address is no service
                services[name] = messages.rehosted(address, self._address.text)
        return services

    def _profiles(self, media: str, address: str, *, is_last: bool) -> list[Profile]:
        try:
            answer = self._ask(address, messages.get_profiles(media))
        except SourceRefused:
            if is_last:
                raise
            return []
        return [self._addressed(media, address, self._shown(profile)) for profile in messages.profiles_of(answer)]

    def _shown(self, profile: Profile) -> Profile:
        """Return a profile whose name, which is the device's own word, holds no password."""
        return replace(profile, name=scrub(profile.name, self._credentials.known if self._credentials else ()))

    def _addressed(self, media: str, address: str, profile: Profile) -> Profile:
        stream, why = self._uri(address, messages.get_stream_uri(media, profile.token))
        snapshot, _ = self._uri(address, messages.get_snapshot_uri(media, profile.token))
        return replace(profile, stream=stream, snapshot=snapshot, note=why)

    def _uri(self, address: str, body: str) -> tuple[str, str]:
        """Return an address that may be a camera's source, and what is to be known of it."""
        try:
            told = messages.uri_of(self._ask(address, body))
        except SourceError as error:
            return "", str(error)
        if not told:
            return "", "the device tells no address for it"
        known = self._credentials.known if self._credentials else ()
        if has_secret(told, whole=True) or scrub(told, known) != scrub(told):
            return "", "its address holds a password, which is not shown; set the device to leave it out"
        try:
            moved = messages.rehosted(told, self._address.text)
            closed = self._doors.why_closed(addresses.parse(moved))
        except ValueError as error:
            return "", f"its address cannot be read: {error}"
        if closed is not None:
            return "", closed
        before, after = addresses.parse(told), addresses.parse(moved)
        is_same = before.host.lower() == after.host.lower()
        return moved, "" if is_same else f"the device tells the host {before.host}; the one that was asked stands here"

    def _ask(self, address: str, body: str, *, is_signed: bool = True) -> xml.Element:
        header = self._signature() if is_signed else ""
        message = messages.envelope(body, header)
        with self._client.get(_HEADERS, address, method="POST", body=message) as (response, _):
            status = response.status_code
            if status != _OK and status not in _HAS_FAULT:
                self._client.refuse(response)
            data = self._client.body(response, xml.MAX_BYTES, "an answer")
        try:
            answer = xml.read(data)
        except xml.Unreadable as error:
            if status != _OK:
                self._client.refuse(response)
            raise SourceAway(self._client.said(f"{error} found, an answer of an ONVIF device expected")) from None
        fault = messages.fault_of(answer)
        if fault or status != _OK:
            raise SourceRefused(self._said(fault or f"status {status}"))
        return answer

    def _said(self, fault: str) -> str:
        known = self._credentials.known if self._credentials else ()
        hint = ""
        if any(word.lower() in fault.lower() for word in (*_NO_RIGHTS, "status 401", "authori")):
            skew = f"; its clock is {self._ahead_s:+.0f} s from ours" if abs(self._ahead_s or 0) > 5 else ""
            hint = "; name user and password by --secret" if not self._credentials else f"; check the secret{skew}"
        return scrub(f"{self._client.said('the device says ' + fault)}{hint}", known)

    def _signature(self) -> str:
        """Return a token stamped by the device's own clock, since it refuses one that is old."""
        if self._credentials is None:
            return ""
        now = dt.datetime.fromtimestamp(self._clock.now_ns() / NS_PER_S + (self._ahead_s or 0.0), dt.UTC)
        return messages.security(self._credentials.user, self._credentials.password, secrets.token_bytes(16), now)
