"""The one table of errors: what each kind becomes over HTTP; every answer is one sentence."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ground.errors import BadInput, CannotWrite, IllegalMove, NotFound, TiankanError, Unreachable

STATUS: dict[type[TiankanError], int] = {
    NotFound: 404,
    IllegalMove: 409,
    BadInput: 400,
    CannotWrite: 507,
    Unreachable: 502,
}


def answer(status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The body of every error."""
    return JSONResponse({"error": kind, "message": message}, status_code=status, headers=headers)


async def _ours(_request: Request, error: Exception) -> JSONResponse:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
    return answer(status, type(error).__name__, str(error))


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return answer(422, "InvalidRequest", f"{place}: {first['msg']}")


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return answer(error.status_code, "HttpError", str(error.detail), error.headers)


def install(app: FastAPI) -> None:
    """Make the table hold for every route of an app."""
    app.add_exception_handler(TiankanError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
