"""What a judging measures: the facts of every layer, widths where a rule may come to ask, and the area ledger."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from pyproj import CRS

from cadastre.dated import days_of
from cadastre.facts import CENTER_WIDTH, CHANGE_FACTS, WIDEST, Column, FactTable, measure
from cadastre.land import BASIC, LAND, REDLINE, LandLedger, ledgers_of, load_groups
from cases.known import Known
from cases.rules import Rulebook, load_rulebooks
from ground.crs import crs_of, to_crs
from law import pack_of, packs, rulebooks_of

FIRST, LAST = "change_before", "change_after"
"""Facts of every judgement: the moments of the scenes as they were known to it."""
REGION = "regions_dominant"
"""The fact that says in which administrative region a change lies."""
WIDTHS = (CENTER_WIDTH, WIDEST)
LAND_CLASSES = "land_classes.toml"
NO_GROUPS = f"no {LAND_CLASSES} lies beside the rulebooks, and no pack of their jurisdiction has one"
NOT_ASKED = "no rule comes to ask for it, so it was not measured"
Advance = Callable[[str, int, int], None]


def measured(
    frame: gpd.GeoDataFrame,
    known: Known,
    books: Sequence[Rulebook],
    crs: CRS,
    advance: Advance = lambda _step, _done, _total: None,
) -> FactTable:
    """The facts of a frame in degrees, `known` being in `crs`, and the moments of its scenes."""
    layers = {f"{name}_{m}" for name, layer in known.catalogue.items() for m in layer.measures}
    wanted = (set(CHANGE_FACTS) - set(WIDTHS)) | layers
    facts = measure(frame, known.layers, known.catalogue, advance, wanted, crs)
    facts = facts.beside({FIRST: _moments(frame["before"]), LAST: _moments(frame["after"])})
    return facts.beside(_widths(frame, facts, books, crs))


def _widths(
    frame: gpd.GeoDataFrame, facts: FactTable, books: Sequence[Rulebook], crs: CRS
) -> dict[str, Column]:
    """Center lines take milliseconds each: only where no other condition of a rule that asks for them fails."""
    asking = [rule for book in books for rule in book.rules if set(rule.when) & set(WIDTHS)]
    rows = np.zeros(len(frame), dtype=bool)
    for rule in asking:
        held = np.ones(len(frame), dtype=bool)
        for name, condition in rule.when.items():
            column = facts.columns.get(name)
            if column is not None:
                held &= np.array([condition.holds(v) is not False for v in column.values], dtype=bool)
        rows |= held
    some = measure(frame[rows], {}, {}, wanted=WIDTHS, crs=crs).columns if rows.any() else {}
    return {name: _spread(some.get(name), rows) for name in WIDTHS}


def _spread(column: Column | None, rows: np.ndarray) -> Column:
    values: np.ndarray = np.full(len(rows), None, dtype=object)
    why: np.ndarray = np.full(len(rows), NOT_ASKED, dtype=object)
    if column is not None:
        values[rows] = column.values
        why[rows] = column.why
    return Column(values.tolist(), why)


def _moments(column: pd.Series) -> Column:
    values = [None if pd.isna(moment) else moment.isoformat() for moment in column]
    why = np.full(len(values), None, dtype=object)
    why[[value is None for value in values]] = "the scene's date is not known"
    return Column([*values], why)


def groups_of(rules: Path, books: Sequence[Rulebook]) -> dict[str, list[str]]:
    """The groups of land classes beside rulebooks, else of a pack of their jurisdiction; none where none has any."""
    folder = rules if rules.is_dir() else rules.parent
    beside = [folder.parent / LAND_CLASSES, folder / LAND_CLASSES]
    for path in (path for path in beside if path.is_file()):
        return load_groups(path)
    return groups_of_pack(books)


def groups_of_pack(books: Sequence[Rulebook]) -> dict[str, list[str]]:
    """The groups of land classes of the pack that is of these books' jurisdiction; none where none is."""
    jurisdictions = {book.jurisdiction for book in books}
    for name in packs():
        path = pack_of(name) / LAND_CLASSES
        if path.is_file() and jurisdictions == {b.jurisdiction for b in load_rulebooks(rulebooks_of(name))}:
            return load_groups(path)
    return {}


def land_of(
    frame: gpd.GeoDataFrame, known: Known, crs: CRS, groups: dict[str, list[str]]
) -> dict[str, dict[str, Any]]:
    """The area ledger of every change, as plain data; empty where there is no layer `land_use`.

    What is not known in it is None, and `unknown` says why, by layer.
    """
    if LAND not in known.layers:
        return {}
    shapes = to_crs(frame.geometry.to_numpy(), crs_of(frame.crs, "changes"), crs, "changes")
    basic, redline = (known.layers.get(name) for name in (BASIC, REDLINE))
    ledgers = ledgers_of(shapes, days_of(frame).first, known.layers[LAND], groups, basic, redline)
    rows = (land_row(ledger, bool(groups)) for ledger in ledgers)
    return dict(zip(frame["change_id"], rows, strict=True))


def land_row(ledger: LandLedger, is_grouped: bool) -> dict[str, Any]:
    """A ledger as a judgement keeps it."""
    unsaid = {} if is_grouped else {"groups": NO_GROUPS}
    return {
        "area_m2": ledger.area_m2, "class_m2": ledger.class_m2,
        "group_m2": ledger.group_m2 if is_grouped else None, "group_mu": ledger.group_mu if is_grouped else None,
        "basic_m2": ledger.basic_m2, "redline_m2": ledger.redline_m2, "unknown": ledger.why | unsaid,
    }  # fmt: skip
