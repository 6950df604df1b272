"""HTTP authentication as the server asks for it: Digest where it offers that, else Basic (RFC 7616, 7617)."""

from __future__ import annotations

from collections.abc import Generator

import httpx

from lamplight_ingest.adapters.secrets import Credentials


class AsAsked(httpx.Auth):
    """Sends no credentials before the server has asked for them, and then in the form that it asked for."""

    def __init__(self, credentials: Credentials, origin: tuple[str, str, int | None]) -> None:
        """Use `credentials` for `origin` (scheme, host, port) and no other."""
        self._origin = origin
        self._digest = httpx.DigestAuth(credentials.user, credentials.password)
        self._basic = httpx.BasicAuth(credentials.user, credentials.password)
        self._chosen: httpx.Auth | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send; where 401 comes back, choose and send again."""
        if origin_of(request.url) != self._origin:
            yield request
            return
        if self._chosen is not None:
            yield from self._chosen.auth_flow(request)
            return
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        offers = response.headers.get("www-authenticate", "").lower()
        if "digest" not in offers and "basic" not in offers:
            return  # never a password in clear where it was not asked for
        self._chosen = self._digest if "digest" in offers else self._basic
        yield from self._chosen.auth_flow(request)


def origin_of(url: httpx.URL) -> tuple[str, str, int | None]:
    """Return what credentials are bound to: scheme, host and port."""
    return url.scheme, url.host, url.port
