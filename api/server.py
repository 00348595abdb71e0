"""The app on a port, by uvicorn."""

import socket

import uvicorn

from api.app import create_app
from cases.store import open_store
from ground.errors import BadInput


def serve(db: str, host: str, port: int, region: str = "") -> None:
    """Serve until interrupted; where a region is given, nothing outside of it.

    Raises:
        BadInput: no such database, or the port is taken.
    """
    app = create_app(open_store(db, create=False, region=region))
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
