"""REST, live events and the page, by FastAPI; its OpenAPI document is at /openapi.json."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from lamplight_kit.errors import Retry
from lamplight_kit.seal import BadSeal

from lamplight_console.adapters.callers import Parts, Viewer, Work
from lamplight_console.views import geojson

PAGE = Path(__file__).parent.parent / "page"
_HEADERS = {
    # The page may load from itself alone, and pictures that it fetched with its token (blob:).
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
FILLED = "X-Lamplight-Filled"
"""How many holes of a picture show the place as it was without people, as its seal attests."""
_api = APIRouter(prefix="/api/v1")


def build(parts: Parts) -> FastAPI:
    """Return the application."""
    app = FastAPI(title="Lamplight", version="1", docs_url=None, redoc_url=None)
    app.state.parts = parts
    app.middleware("http")(_with_headers)
    app.include_router(_api)
    app.mount("/", StaticFiles(directory=PAGE, html=True), name="page")
    return app


@_api.get("/me")
def me(caller: Viewer) -> dict[str, str]:
    """Return who the token names."""
    return {"name": caller.name, "role": caller.role.name.lower()}


@_api.get("/alerts")
def alerts(
    _: Viewer,
    work: Work,
    *,
    open_only: bool = False,
    camera_id: str = "",
    limit: Annotated[int, Query(ge=1, le=5_000)] = 500,
) -> dict[str, Any]:
    """Return alerts as they were last told: open ones first, then by their last change, newest first."""
    return {"alerts": work.city.alerts(open_only=open_only, camera_id=camera_id, limit=limit)}


@_api.get("/alerts/{alert_id:path}")
def alert(_: Viewer, work: Work, alert_id: str) -> dict[str, Any]:
    """Return one alert."""
    found = work.city.alert(alert_id)
    if found is None:
        raise HTTPException(404, f"alert {alert_id!r} not found; GET /api/v1/alerts lists what is known")
    return dict(found)


@_api.get("/cameras")
def cameras(_: Viewer, work: Work) -> dict[str, Any]:
    """Return all cameras with their states."""
    return {"cameras": work.city.cameras()}


@_api.get("/cameras.geojson")
def places(_: Viewer, work: Work) -> JSONResponse:
    """Return the cameras whose place is known, as GeoJSON."""
    return JSONResponse(geojson(work.city.cameras()), media_type="application/geo+json")


@_api.get("/rules")
def rules(_: Viewer, work: Work) -> dict[str, Any]:
    """Return all rules."""
    return {"rules": work.city.listed("rules")}


@_api.get("/situations")
def situations(_: Viewer, work: Work) -> dict[str, Any]:
    """Return all situations."""
    return {"situations": work.city.listed("situations")}


@_api.get("/pictures/{key:path}", response_class=Response)
def picture(caller: Viewer, work: Work, key: str) -> Response:
    """Return a stored picture as it is (a sealed JPEG), once its seal holds; looking is audited."""
    if not key.startswith(f"{work.prefix}/") or ".." in key.split("/"):
        raise HTTPException(404, f"picture {key!r} found, a key below {work.prefix}/ expected")
    try:
        sealed = work.store.get_sealed(key, work.keys)
    except KeyError:
        raise HTTPException(404, f"picture {key!r} is not there any more, or never was") from None
    except BadSeal as error:
        raise HTTPException(403, f"picture {key!r} is not shown: {error}") from error
    except Retry as error:
        raise HTTPException(503, str(error)) from error
    work.auditor.record(caller, "look", [key])
    filled = str(sealed.attestation.filled_holes)
    return Response(sealed.jpeg, media_type="image/jpeg", headers={FILLED: filled})


@_api.get("/events")
async def events(_: Viewer, work: Work) -> StreamingResponse:
    """Stream what changes, as server-sent events: hello, alert, camera, lagged (read all again)."""
    return StreamingResponse(work.hub.listen(), media_type="text/event-stream")


async def _with_headers(request: Request, follow: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await follow(request)
    response.headers.update(_HEADERS)
    return response
