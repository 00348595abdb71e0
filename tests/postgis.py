"""A real PostGIS for tests: a cluster of its own on loopback; `python -m tests.postgis` runs the suite on it."""

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from database.engine import open_database
from ground.errors import BadInput

ROOT = Path(__file__).parent.parent
TEMPLATE, OWNER = "tiankan_template", "tiankan"
KEPT = 3
"""Databases that one process leaves behind; each takes some 10 MB."""
SETTINGS = {
    "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "300",
    "shared_buffers": "256MB", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
    "max_wal_size": "4GB", "log_min_messages": "panic",
}  # fmt: skip
"""Nothing here needs to outlive a power cut."""

_made: list[str] = []


def new_database(server: str) -> str:
    """The URL of a new database with tables and PostGIS; those of earlier tests are dropped."""
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    plain = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        _made.append(name)
        for old in _made[:-KEPT]:
            try:
                connection.execute(f"DROP DATABASE {old} WITH (FORCE)")
            except psycopg.errors.InsufficientPrivilege:
                continue  # The server is vacuuming it; it goes when the next one is made.
            _made.remove(old)
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def programs() -> Path:
    """The newest folder with initdb and postgres.

    Raises:
        BadInput: there is none.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if not found:
        raise BadInput("PostgreSQL is not installed; apt-get install postgresql postgresql-15-postgis-3")
    return found[-1].parent


@contextmanager
def cluster() -> Iterator[str]:
    """A PostGIS for as long as the block runs: its URL, for a user who is no superuser."""
    folder = programs()
    # PostgreSQL refuses to be root.
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="tiankan-postgis-") as made:
        home, words = Path(made), (secrets.token_urlsafe(16), secrets.token_urlsafe(16))
        (home / "words").write_text(words[0])
        if user:
            for path in (home, home / "words"):
                subprocess.run(["chown", user, path], check=True)
        data = home / "data"
        initdb = [folder / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--no-sync"]
        subprocess.run(
            [*initdb, f"--pwfile={home / 'words'}", "-E", "UTF8", "--locale=C.UTF-8"],
            check=True, user=user, cwd="/", stdout=subprocess.DEVNULL,
        )  # fmt: skip
        port = _free_port()
        given = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        server = subprocess.Popen(
            [folder / "postgres", "-D", data, f"-p{port}", *given],
            user=user,
            cwd="/",
            stdout=subprocess.DEVNULL,
        )
        try:
            yield _prepare(port, *words, server)
        finally:
            # Its word for: end now, in order.
            server.send_signal(signal.SIGINT)
            server.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _prepare(port: int, root_word: str, word: str, server: "subprocess.Popen[bytes]") -> str:
    root = f"postgresql://postgres:{root_word}@127.0.0.1:{port}/"
    for _ in range(300):
        try:
            psycopg.connect(root + "postgres").close()
            break
        except psycopg.OperationalError:
            if server.poll() is not None:
                raise
            time.sleep(0.1)
    with psycopg.connect(root + "postgres", autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEDB CREATEROLE PASSWORD '{word}'")
        connection.execute(f"CREATE DATABASE {TEMPLATE} OWNER {OWNER}")
    with psycopg.connect(root + TEMPLATE, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION postgis")
    url = f"postgresql+psycopg://{OWNER}:{word}@127.0.0.1:{port}/{TEMPLATE}"
    # Nobody may be in a database that is copied.
    open_database(url, create=True).dispose()
    return url.replace(TEMPLATE, "postgres")


def main(given: list[str]) -> int:
    """pytest with these arguments, over every test that asks for a store."""
    # Asked to end, end the server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    stores = [
        str(p)
        for p in sorted(ROOT.glob("tests/test_*.py"))
        if re.search(r"\bnew_(store|url)\b", p.read_text())
    ]
    asked = any(arg.startswith("tests/") for arg in given)
    with cluster() as url:
        arguments = ["-m", "not sqlite and not real and not network", *given, *([] if asked else stores)]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=ROOT,
            env=os.environ | {"TIANKAN_TEST_DB": url},
            check=False,
        )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
