"""Split and merge by their verbs: files of parts, good and bad; figures that count no land twice."""

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyogrio
import pytest
import shapely
from pydantic import ValidationError

from cases.issuing import issue
from cases.outlines import read_parts
from cases.workflow import WORKFLOW_TOML, Workflow
from ground.errors import BadInput
from reports.statistics import statistics
from reports.table_rows import Wanted, case_table
from reports.words import Language
from tests.cases_world import GRID, rect
from tests.splits_world import SQUARE, THIRDS, cases, county, cut, file_of, is_whole, join, url_of
from tests.test_cli import tiankan

RAW = tomllib.loads(WORKFLOW_TOML.read_text(encoding="utf-8"))
WHO = ("--actor", "王芳", "--role", "county", "--reason", "two owners")


@pytest.mark.parametrize("name", ["parts.geojson", "parts.gpkg"])
def test_cut_and_joined_by_hand(tmp_path: Path, name: str) -> None:
    store = county(tmp_path)
    issue(store, "Q3")
    db = ("--db", url_of(store))
    parts = file_of(tmp_path, *THIRDS, name=name)
    code, out, err = tiankan("cases", "split", "140105Q32021000001", "--by", parts, *WHO, "--json", *db)
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["whole"]["status"], [one["area_mu"] for one in told["parts"]]) == (
        "split",
        [9.0, 10.5, 10.5],
    )
    code, _, err = tiankan("cases", "split", "140105Q32021000001", "--by", parts, *WHO, *db)
    assert code == 2 and "was split by 王芳" in err and "(140105Q32021000001_3)" in err
    code, out, _ = tiankan(
        "cases", "merge", *(f"140105Q32021000001_{n}" for n in (2, 3)), *WHO, "--json", *db
    )
    assert (code, json.loads(out)["whole"]["area_mu"]) == (0, 21.0)
    to = tmp_path / "again.gpkg"
    code, out, _ = tiankan("cases", "changes", "140105Q32021000002", "--to", to, "--json", *db)
    assert (code, json.loads(out)["changes"]) == (0, [json.loads(out)["changes"][0]])
    # Once more by the registry of now: the same outline, the same change, nothing new to open.
    code, _, err = tiankan("judge", "--changes", to, "--rules", tmp_path / "book.toml", *db)
    assert (code, err, len(cases(store))) == (0, "", 5)
    code, _, err = tiankan("cases", "changes", "140105Q32021000002", "--to", tmp_path / "x.shp", *db)
    assert code == 2 and "is no GeoPackage" in err
    assert is_whole(store)


def spoiled(folder: Path) -> dict[str, Path]:
    """Files that hold no parts."""
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    made = {
        "one": file_of(folder, SQUARE, name="one.geojson"),
        "bow": file_of(folder, bow, THIRDS[0], name="bow.gpkg"),
        "line": file_of(folder, shapely.LineString([(0, 0), (1, 1)]), THIRDS[0], name="line.gpkg"),
        "shp": folder / "parts.shp",
        "none": folder / "none.geojson",
        "torn": folder / "torn.geojson",
        "ring": folder / "ring.geojson",
        "bare": folder / "bare.gpkg",
        "two": file_of(folder, *THIRDS, name="two.gpkg"),
        "table": folder / "table.gpkg",
    }
    made["torn"].write_text('{"type": "FeatureCollection", "features": [{"type": "Fea')
    feature: dict[str, Any] = {"type": "Feature", "properties": {}}
    rings = [[[[0, 0], [1, 1]]], [[[0, 0], [1, 0], [1, 1], [0, 0]]]]
    features = [feature | {"geometry": {"type": "Polygon", "coordinates": ring}} for ring in rings]
    made["ring"].write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    pyogrio.write_dataframe(gpd.GeoDataFrame(geometry=list(THIRDS)), made["bare"])
    pyogrio.write_dataframe(
        gpd.GeoDataFrame(geometry=list(THIRDS), crs=GRID), made["two"], layer="other", append=True
    )
    pyogrio.write_dataframe(gpd.GeoDataFrame({"a": [1]}, geometry=[None], crs=GRID), made["table"])
    return made


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("one", "holds 1 parts; a case is cut into 2 to 99"),
        ("bow", r"part 1 is no valid polygon \(Self-intersection"),
        ("line", "part 1 is a LineString; parts are polygons"),
        ("shp", "is neither GeoJSON nor GeoPackage"),
        ("none", "is no such file; give parts"),
        ("torn", "cannot be read"),
        ("ring", r"part 1 (has no geometry, or a broken one|is no valid polygon)"),
        ("bare", "has no coordinate system"),
        ("two", "has layers two, other; leave the one"),
        ("table", "has no geometry, or a broken one|holds no polygons"),
    ],
)
@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_what_holds_no_parts_is_named(tmp_path: Path, which: str, said: str) -> None:
    path = spoiled(tmp_path)[which]
    with pytest.raises(BadInput, match=said):
        read_parts(path)


def test_figures_count_the_parts_and_the_whole_once(tmp_path: Path) -> None:
    store = county(tmp_path, SQUARE, rect(300, 0, 360, 50))

    def told(moment: datetime) -> tuple[int, float, float]:
        everything = next(one for one in statistics(store, moment).figures if one.part == "all")
        return everything.number, everything.monitored_mu, everything.cultivated_mu

    judged, whole = datetime.now(UTC), cases(store)[0]
    assert told(judged) == (2, 34.5, 7.5)
    parts = cut(store, whole.id).parts
    divided = datetime.now(UTC)
    assert (told(divided), told(judged)) == ((4, 34.5, 7.5), (2, 34.5, 7.5))
    join(store, parts[1].id, parts[2].id)
    assert [told(day) for day in (datetime.now(UTC), divided, judged)] == [
        (3, 34.5, 7.5), (4, 34.5, 7.5), (2, 34.5, 7.5),
    ]  # fmt: skip
    # One part is permitted: what was suspected as a whole is no longer, of that day on.
    suspected = [
        next(one for one in statistics(store, day).figures if one.part == "suspected").monitored_mu
        for day in (judged, datetime.now(UTC))
    ]
    assert suspected == [34.5, 25.5]
    table = case_table(store, Wanted(), GRID, Language.EN)
    assert (len(table), round(table["area_mu"].sum(), 2)) == (3, 34.5)
    assert len(case_table(store, Wanted(status="split"), GRID, Language.EN)) == 1


def arrow(**move: Any) -> dict[str, Any]:
    return {"move": [*RAW["move"], {"role": ["county"], "needs": []} | move]}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"split": {"from": ["suspected", "filed"], "role": ["county"]}},
         "split.from holds 'filed', which is reached through a violation only"),
        ({"merge": {"from": ["violation"], "role": ["county"], "within_m": 1}}, "merge.from holds 'violation', which"),
        ({"split": {"from": ["split"], "role": ["county"]}}, "split.from holds 'split', which"),
        ({"split": {"from": ["doubt"], "role": ["machine"]}}, "split.role holds 'machine': a named person does that"),
        (arrow(**{"from": ["doubt"], "to": "merged"}), "no move leads to 'merged'; a case ends there when others"),
        (arrow(**{"from": ["split"], "to": "field_check"}), "starts at 'split', where no case ever comes"),
    ],
)  # fmt: skip
def test_parts_begin_before_the_violation_and_no_move_takes_a_case_away(
    more: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        Workflow.model_validate(RAW | more)
