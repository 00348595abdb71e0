"""What a database refuses, said in one sentence; passwords are never in it."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Engine
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError

from ground.errors import BadInput, CannotWrite, IllegalMove, TiankanError, Unreachable, one_line

SPACE = ("53100", "58030")
"""PostgreSQL's disk_full and io_error."""
AGAIN = ("40001", "40P01", "55P03")
"""serialization_failure, deadlock_detected, lock_not_available."""
LOGIN = ("28000", "28P01")
TRIGGERED = "23000"
"""integrity_constraint_violation, which only our own triggers raise by that name."""
SECRETS = ("password", "passfile", "sslpassword", "sslkey")


def shown(url: URL) -> str:
    """A URL as it may be printed."""
    return str(url.difference_update_query(SECRETS))


@contextmanager
def faults(engine: Engine) -> Iterator[None]:
    """What the database refuses leaves as one sentence."""
    try:
        yield
    except DatabaseError as error:
        said = _sentence(shown(engine.url), error)
        if said is None:
            raise
        raise said from error
    except UnicodeEncodeError as error:
        bad = error.object[error.start]
        raise BadInput(
            f"a text holds {bad!r}, which is no character, so nothing was saved; write it in UTF-8"
        ) from error


def _sentence(url: str, error: DatabaseError) -> TiankanError | None:
    why = one_line(error.orig or error, 160)
    code = getattr(error.orig, "sqlstate", None) or ""
    if code in SPACE or (isinstance(error, OperationalError) and ("full" in why or "disk I/O" in why)):
        return CannotWrite(f"{url}: nothing was saved ({why}); free some space, then run again")
    if code in AGAIN or (isinstance(error, OperationalError) and "locked" in why):
        return CannotWrite(
            f"{url}: nothing was saved ({why}: somebody else is writing); run again in a minute"
        )
    if code == TRIGGERED or getattr(error.orig, "sqlite_errorname", "") == "SQLITE_CONSTRAINT_TRIGGER":
        return IllegalMove(
            f"{url}: the database refuses that ({why}); if no rule was broken, somebody wrote there by hand: "
            "`tiankan audit verify` names what"
        )
    if isinstance(error, IntegrityError):
        return CannotWrite(
            f"{url}: nothing was saved ({why}: somebody else wrote the same just now); run again"
        )
    if code == "42501":
        return BadInput(f"{url}: this user may not do that ({why}); let the server's administrator grant it")
    if code in LOGIN or "authentication failed" in why or "no password supplied" in why:
        return BadInput(f"{url}: the server did not let us in ({why}); check user and password")
    if "malformed" in why:
        return BadInput(f"{url}: the file is damaged ({why}); restore it from a backup")
    if isinstance(error, OperationalError):
        if "connection failed" in why or "connection is bad" in why or code[:2] in ("08", "57"):
            return Unreachable(f"{url}: the server does not answer ({why}); check host, port and database")
        return BadInput(f"{url}: the database cannot be used ({why}); check its path, folder and rights")
    if "not a database" in why:
        return BadInput(f"{url}: is not a database ({why}); give a new file")
    return None
