"""HTTP authentication for the client that waits: the same answers as everywhere else, at the camera's own origin."""

from __future__ import annotations

import secrets
from collections.abc import Generator

import httpx

from lamplight_ingest.adapters.secrets import Credentials
from lamplight_ingest.rtsp.auth import ELSEWHERE, Authenticator, Login


class AsAsked(httpx.Auth):
    """Sends no credentials before the server has asked for them, and then in the form that it asked for."""

    def __init__(self, credentials: Credentials | None, origin: tuple[str, str, int | None]) -> None:
        """Use `credentials` for `origin` (scheme, host, port) and no other."""
        self._origin = origin
        login = Login(credentials.user, credentials.password) if credentials else None
        self._authenticator = Authenticator(login, lambda: secrets.token_hex(8))

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send; where 401 comes back with what can be answered, answer it and send again."""
        is_own, tries = origin_of(request.url) == self._origin, 0
        while True:
            own = self._authenticator.header(request.method, request.url.raw_path.decode("ascii")) if is_own else None
            if own is not None:
                request.headers = _with(request.headers, own)
            response = yield request
            if response.status_code != httpx.codes.UNAUTHORIZED or not is_own:
                return
            if not self._authenticator.may_answer(_offered(response), tries):
                return
            tries += 1

    def why_refused(self, response: httpx.Response) -> str:
        """Say why a 401 stood, and the cure."""
        if origin_of(response.url) != self._origin:
            return ELSEWHERE
        return self._authenticator.why_refused(_offered(response))


def origin_of(url: httpx.URL) -> tuple[str, str, int | None]:
    """Return what credentials are bound to: scheme, host and port."""
    return url.scheme, url.host, url.port


def _offered(response: httpx.Response) -> list[str]:
    """Return the challenges as they came, whatever their bytes: httpx would guess at another coding for them all."""
    found = (value for name, value in response.headers.raw if name.lower() == b"www-authenticate")
    return [value.decode("utf-8", "surrogateescape") for value in found]


def _with(headers: httpx.Headers, authorization: str) -> httpx.Headers:
    kept = [(name, value) for name, value in headers.raw if name.lower() != b"authorization"]
    return httpx.Headers([*kept, (b"Authorization", authorization.encode("utf-8", "surrogateescape"))])
