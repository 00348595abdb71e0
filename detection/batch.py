"""Many pairs, one after the other, on one machine or a cluster; one that fails does not stop the others."""

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import shapely

from detection.cluster import Cluster
from detection.detect import Advance, DetectOptions, detect, silent
from ground.errors import BadInput, TiankanError
from ground.files import written_beside
from imagery.address import Address, address_of, file_name
from imagery.catalog import open_scene
from imagery.scene import Scene
from imagery.stac import find_items

COLUMNS = ("name", "before", "after", "before_date", "after_date", "before_sensor", "after_sensor")
NEEDED = ("before", "after")
OVERLAP = 0.5
"""Part of the later scene that the earlier one must show to be its pair."""
SUMMARY = "batch.json"


@dataclass(frozen=True, kw_only=True)
class PairFiles:
    """One row: two scenes, the name of the folder that their results go to, and what outranks the files' own word."""

    name: str
    before: str | Path
    after: str | Path
    before_date: str | None = None
    after_date: str | None = None
    before_sensor: str | None = None
    after_sensor: str | None = None


@dataclass(frozen=True)
class Result:
    """What became of a pair: `done`, `partly unseen` (blocks could not be decoded) or `failed`, with the sentence."""

    name: str
    status: str
    changes: int | None
    changed_m2: float | None
    seconds: float | None
    why: str


def pairs_of(source: Path) -> list[PairFiles]:
    """The pairs of a CSV file, or of the STAC Items below a folder or beside a collection.json.

    Raises:
        BadInput: no such file, a column too few or unknown, a name twice; no two Items show the same ground.
    """
    if source.is_dir():
        return _of_items(source)
    if source.suffix.lower() == ".json":
        return _of_items(source.parent)
    return _of_table(source)


def run_batch(
    pairs: list[PairFiles],
    out: Path,
    options: DetectOptions,
    advance: Advance = silent,
    cluster: Cluster | None = None,
) -> list[Result]:
    """Each pair's results in a folder of its name below `out`, and batch.json over all of them.

    A pair whose results are there, made of the same files in the same way, is not done again.
    """
    results: list[Result] = []
    for done, pair in enumerate(pairs):
        advance("batch", done, len(pairs))
        results.append(_one(pair, out, options, cluster))
        with written_beside(out / SUMMARY) as beside:
            beside.write_text(
                json.dumps([asdict(result) for result in results], indent=2, ensure_ascii=False) + "\n"
            )
    advance("batch", len(pairs), len(pairs))
    return results


def _one(pair: PairFiles, out: Path, options: DetectOptions, cluster: Cluster | None) -> Result:
    own = replace(
        options,
        before_sensor=pair.before_sensor or options.before_sensor,
        after_sensor=pair.after_sensor or options.after_sensor,
        before_date=pair.before_date,
        after_date=pair.after_date,
    )
    try:
        run = detect(pair.before, pair.after, out / pair.name, own, cluster=cluster, again=False)
    except TiankanError as error:
        return Result(pair.name, "failed", None, None, None, str(error))
    lost = run["unreadable"]
    why = f"{lost['share']:.2%} cannot be decoded" if lost else ""
    seconds = round(sum(run["seconds"].values()), 3)
    status = "partly unseen" if lost else "done"
    return Result(pair.name, status, run["counts"]["changes"], run["changed_m2"], seconds, why)


def _of_table(path: Path) -> list[PairFiles]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream)
            columns, rows = list(table.fieldnames or []), list(table)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path}: cannot be read as a table of pairs ({error}); give a CSV file in UTF-8"
        ) from error
    unknown = [name for name in columns if name not in COLUMNS]
    missing = [name for name in NEEDED if name not in columns]
    if unknown or missing:
        fault = f"has no column {missing[0]}" if missing else f"column {unknown[0]!r} is unknown"
        raise BadInput(
            f"{path}: {fault}; its columns are {', '.join(COLUMNS)}, of which before and after are needed"
        )
    pairs = [_row(path, line, row) for line, row in enumerate(rows, 2)]
    return _all_different(pairs, path)


def _row(path: Path, line: int, row: dict[str, Any]) -> PairFiles:
    given = {name: (row.get(name) or "").strip() or None for name in COLUMNS}
    for name in NEEDED:
        if given[name] is None:
            raise BadInput(f"{path}: line {line} has no {name}; name a scene there")
    before, after = (_placed(path.parent, str(given[name])) for name in NEEDED)
    name = given["name"] or f"{file_name(before).stem}--{file_name(after).stem}"
    if Path(name).name != name or name in (".", ".."):
        raise BadInput(
            f"{path}: line {line}: name {name!r} cannot be the name of a folder; leave out slashes"
        )
    rest = {key: given[key] for key in COLUMNS[3:]}
    return PairFiles(name=name, before=before, after=after, **rest)


def _placed(folder: Path, scene: str) -> str | Path:
    """A scene's address, or its path from the folder of the table."""
    where = address_of(scene)
    return where if isinstance(where, Address) else folder / where


def _all_different(pairs: list[PairFiles], source: Path) -> list[PairFiles]:
    if not pairs:
        raise BadInput(f"{source}: names no pair; add a row with before and after")
    names = [pair.name for pair in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadInput(f"{source}: two pairs are named {twice!r}; give each a name of its own")
    return pairs


def _of_items(folder: Path) -> list[PairFiles]:
    """Each Item with the latest earlier one of its sensor that shows the same ground."""
    items = [(path, open_scene(path)) for path in find_items(folder)]
    for path, scene in items:
        if scene.acquired_utc is None:
            raise BadInput(
                f"{path}: has no date; a pair needs an earlier and a later scene, add its datetime"
            )
    items.sort(key=lambda item: (item[1].acquired_utc, item[1].id))
    pairs = list(_consecutive(items))
    if not pairs:
        raise BadInput(f"{folder}: no two Items of one sensor show the same ground on two dates; add scenes")
    return _all_different(pairs, folder)


def _consecutive(items: list[tuple[Path, Scene]]) -> Iterator[PairFiles]:
    outlines = [shapely.box(*scene.grid.lonlat_bounds(scene.source)) for _, scene in items]
    for later, (path, scene) in enumerate(items):
        for earlier in reversed(range(later)):
            before_path, before = items[earlier]
            shared = outlines[later].intersection(outlines[earlier]).area
            of_another_day = before.acquired_utc != scene.acquired_utc
            if of_another_day and before.sensor == scene.sensor and shared >= OVERLAP * outlines[later].area:
                yield PairFiles(name=f"{before.id}--{scene.id}", before=before_path, after=path)
                break
