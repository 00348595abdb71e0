"""Errors that a person can act on: one sentence saying what happened, to which value, and the mend."""


class TiankanError(Exception):
    """Anything the user can mend. The CLI prints its one sentence and exits with 2; the API maps its kind."""


class BadInput(TiankanError, ValueError):
    """A file, field or option does not hold what it must."""


class UnknownDatum(BadInput):
    """Coordinates would have to be shifted by an unknown amount, tens to hundreds of metres."""


class NotFound(TiankanError, LookupError):
    """Nothing is kept under this id."""


class IllegalMove(TiankanError):
    """The workflow does not allow this move, or something it needs is not in hand."""


class CannotWrite(TiankanError, OSError):
    """The disk is full, or the folder may not be written; nothing half-written was left."""


class Unreachable(TiankanError):
    """A registry or server that was needed did not answer."""


def one_line(error: BaseException | str, most: int = 300) -> str:
    """The first lines of a library's message folded into one, cut to `most` characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= most else text[: most - 1] + "…"
