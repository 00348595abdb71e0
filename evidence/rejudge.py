"""A bundle judged again from its zip alone: whether it is whole, and whether its verdict is the same bit for bit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from pydantic import ValidationError
from shapely.errors import ShapelyError

from cadastre.facts import Facts
from cadastre.layers import Layer
from cases.known import Known
from cases.replay import frame_again
from cases.rules import Rulebook
from evidence.bundle import AS_WRITTEN, NO_JUDGING, judge_again
from evidence.layers import from_json
from evidence.limits import Limits
from evidence.sealed import head_of
from evidence.zips import Reader, opened
from ground.crs import crs_of
from ground.errors import BadInput, TiankanError, one_line

NOT_OURS = (
    KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, ShapelyError, ValidationError
)  # fmt: skip
"""What members that hold something else than we wrote end in."""
HEAD = "head.json"


@dataclass(frozen=True, kw_only=True)
class Rejudged:
    """`altered`: a sentence for each member that is not as it was; `found`: the verdict's line, if it was judged.

    `same`: None where it could not be judged, for the reason in `note`.
    """

    case_id: str
    sha256: str
    altered: list[str]
    written: str
    found: str
    same: bool | None
    note: str
    head: str = ""
    """The end of the hash chain as it was signed when the bundle was made; "" where nobody had signed."""


def replay_bundle(path: Path, limits: Limits) -> Rejudged:
    """The verdict of a bundle found again; of one that was altered nothing is judged.

    Raises:
        BadInput: it is no bundle, broken, or made to do harm.
    """
    with opened(path, limits) as bundle:
        altered = bundle.altered()
        written, found, same, note, head = "", "", None, "it was altered, so it was not judged again", ""
        if not altered:
            try:
                written, found, note = _judged(bundle)
                head = _head(bundle)
            except TiankanError:
                raise
            except NOT_OURS as error:
                said = f"{type(error).__name__}: {one_line(error, 100)}"
                raise BadInput(f"{path}: its members do not hold what a bundle's do ({said})") from error
            same = found == written if found else None
        return Rejudged(
            case_id=bundle.case_id, sha256=bundle.sha256, altered=altered, written=written, found=found, same=same,
            note=note, head=head,
        )  # fmt: skip


def _judged(bundle: Reader) -> tuple[str, str, str]:
    """The verdict as it was written, as it is found, and what is to be said of that."""
    said, judging, outline = (
        bundle.json(name) for name in ("verdict.json", "judging.json", "change.geojson")
    )
    written = bundle.line("verdict.json")
    if judging is None:
        return written, "", NO_JUDGING
    books = [_book(bundle, version) for version in judging["rulebooks"]]
    frame = frame_again([said["change_id"]], [shapely.geometry.shape(outline["geometry"])], [said["facts"]])
    known = _known(bundle, judging)
    facts = Facts(said["facts"], bundle.json("judgement.json")["why"])
    found = judge_again(frame, known, books, judging["crs"], facts)
    return written, found, AS_WRITTEN if known is None else ""


def _head(bundle: Reader) -> str:
    if HEAD not in bundle.listed:
        return ""
    head = head_of(bundle.json(HEAD))
    return f"link {head.place} {head.digest} signed {head.at.isoformat(timespec='seconds')} by key {head.key}"


def _book(bundle: Reader, version: str) -> Rulebook:
    book: Rulebook = Rulebook.model_validate(bundle.json(f"rulebooks/{version}.json"))
    if book.version != version:
        raise BadInput(
            f"{bundle.path}: its rulebook {version} says something else than the one of that number"
        )
    return book


def _known(bundle: Reader, judging: dict[str, Any]) -> Known | None:
    if judging["catalogue"] is None:
        return None
    crs = crs_of(judging["crs"], "judging.json: crs")
    catalogue = {name: Layer.model_validate(said) for name, said in judging["catalogue"].items()}
    layers = {
        name: from_json(layer, bundle.json(f"layers/{name}.geojson"), crs)
        for name, layer in catalogue.items()
    }
    return Known(catalogue=catalogue, layers=layers, sources=judging["sources"], place="")
