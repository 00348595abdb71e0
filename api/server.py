"""The app on a port, by uvicorn."""

import socket
from collections.abc import Callable

import uvicorn

from api.app import create_app
from cases.proof import Intact
from cases.store import CaseStore, open_store
from ground.errors import BadInput

Reader = Callable[[CaseStore], Intact]


def serve(db: str, host: str, port: int, region: str = "", reader: Reader | None = None) -> None:
    """Serve until interrupted; where a region is given, nothing outside of it.

    `reader`: of a store of cases, what reads its files of evidence back.

    Raises:
        BadInput: no such database, or the port is taken.
    """
    store = open_store(db, create=False, region=region)
    app = create_app(store, reader(store) if reader else None)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise BadInput(
            f"--port: {host}:{port} cannot be listened on ({error.strerror}); pass another"
        ) from error
    shown = f"[{host}]" if ":" in host else host
    print(f"Tiankan on http://{shown}:{listener.getsockname()[1]}/  (stop with Ctrl+C)", flush=True)  # noqa: T201
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
