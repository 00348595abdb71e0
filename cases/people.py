"""Who is who on paper: what tells two names apart, and two texts."""

import re
import unicodedata

from database.road import MACHINE as MACHINE
from database.road import MACHINE_ROLE as MACHINE_ROLE

LONGEST_NAME = 200
BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")


def as_read(text: str) -> str:
    """What tells two texts apart for a reader: neither width, case and spaces nor invisible characters do."""
    parts = ((c, unicodedata.category(c)) for c in unicodedata.normalize("NFKC", text))
    return " ".join(
        "".join(" " if kind == "Cc" else c for c, kind in parts if kind != "Cf").casefold().split()
    )


def person(name: str) -> str:
    """What tells two people apart: letters and digits, not what stands in brackets; empty where no letter is left."""
    said = BRACKETS.sub("", as_read(name))
    kept = "".join(c for c in said if c.isalnum() or unicodedata.category(c).startswith("M"))
    return kept if any(c.isalpha() for c in kept) else ""


def fault_of(name: str, may_be_number: bool = False) -> str:
    """Why nobody is called so, and the mend; empty where somebody may be. A hotline may be a number, as 12345."""
    is_number = may_be_number and any(c.isdigit() for c in as_read(name))
    if person(name) in {"", MACHINE} and not is_number:
        return "pass the name of the officer"
    if any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in name.strip()):
        return "the name holds a control character; write it on one line"
    if len(name.strip()) > LONGEST_NAME:
        return f"the name has {len(name.strip())} letters; write one of {LONGEST_NAME} at most"
    return ""


def people_of(officers: str) -> set[str]:
    """The people whom a text names, separated by semicolons; as read, a full-width ； is one."""
    return {person(name) for name in as_read(officers).split(";")} - {"", MACHINE}
