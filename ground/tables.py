"""TOML read into typed records: a typo is an error that names the file, the key and what is allowed."""

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ground.errors import BadInput

T = TypeVar("T")


class Strict(BaseModel):
    """A record made once, from data that may hold nothing it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def load_toml(path: Path) -> dict[str, Any]:
    """The raw table.

    Raises:
        BadInput: the file is absent, not UTF-8 or not TOML; says the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); give the path of a TOML file") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: is not valid TOML: {error}; mend that line") from error


def parse(kind: type[T] | Any, data: Any, path: Path, where: str = "") -> T:
    """`data` as `kind`; the first fault becomes a sentence with its key and the allowed values."""
    try:
        result: T = TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        # A misspelled key is two faults, a key too many and one too few: the first tells the user more.
        faults = error.errors()
        first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
        keys = [where, *(str(part) for part in first["loc"] if not _is_branch(part))]
        key = ".".join(k for k in keys if k)
        raise BadInput(f"{path}: {key or 'the table'}: {_say(first, kind)}") from error
    return result


def _is_branch(part: str | int) -> bool:
    """Pydantic names the branch of a union it tried; a reader of the TOML never wrote it."""
    return isinstance(part, str) and part.startswith(("function-", "dict[", "list[", "lax-or-strict"))


def _say(fault: Any, kind: Any) -> str:
    if fault["type"] == "extra_forbidden":
        known = _keys_at(kind, fault["loc"][:-1])
        return "is not a known key" + (f"; allowed are {', '.join(known)}" if known else "; remove it")
    if fault["type"] == "missing":
        return "is missing; add it"
    if fault["type"] in {"model_type", "dict_type"}:
        return f"{fault['input']!r} is wrong: it must be a table with keys of its own"
    message = str(fault["msg"]).removeprefix("Value error, ")
    shown = fault.get("input")
    return (
        message
        if fault["type"] == "value_error"
        else f"{shown!r} is wrong: {message[:1].lower()}{message[1:]}"
    )


def _keys_at(kind: Any, loc: tuple[Any, ...]) -> list[str]:
    """The keys of the record found by walking `loc` down the annotations of `kind`."""
    for part in loc:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(part)) or next(
                (f for f in kind.model_fields.values() if f.alias == part), None
            )
            kind = field.annotation if field else None
        else:
            arguments = getattr(kind, "__args__", ())
            kind = arguments[-1] if arguments else None
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return sorted(field.alias or name for name, field in kind.model_fields.items())
    return []
