"""Asking a process of this machine for /readyz, past any HTTP proxy of the environment."""

from __future__ import annotations

import http.client
import json

TIMEOUT_S = 1.0


def probe(http_port: int) -> str | None:
    """Return None where the process is ready, else which of its parts is not and why; OSError where none answers."""
    connection = http.client.HTTPConnection("127.0.0.1", http_port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()
    if answer.status == http.client.OK:
        return None
    try:
        reasons = json.loads(body)["unready"]
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status}"
    return "; ".join(f"{part}: {why}" for part, why in reasons.items())
