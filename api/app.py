"""The FastAPI app over one store of cases. No torch is loaded here, ever."""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles

from api import errors
from api.routes import router
from cases.proof import Intact
from cases.store import CaseStore
from cases.workflow import load_workflow

WEB = Path(__file__).with_name("web")
POLICY = "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'"
"""Nothing from elsewhere: the map must work on a closed network and run no one else's code."""


def create_app(store: CaseStore, intact: Intact | None = None) -> FastAPI:
    """The app; the map is at /, its description at /openapi.json. `intact` reads back files on which a move rests."""
    app = FastAPI(
        title="Tiankan 天看",
        version=version("tiankan"),
        description="Enforcement cases from satellite scenes. A machine says suspected violation; a person decides.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.store, app.state.intact = store, intact
    load_workflow()  # A typo in it stops the start, not the first request.
    app.state.workflow = lru_cache(maxsize=1)(lambda day: load_workflow(day=day))
    errors.install(app)
    app.include_router(router)
    app.middleware("http")(_guard)
    app.mount("/", StaticFiles(directory=WEB, html=True), name="web")
    return app


async def _guard(request: Request, onward: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await onward(request)
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response
