"""The overlay of a case: the pieces of the layers under its change by hand, kept as evidence, drawn in its report."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from cases.store import CaseStore
from database.audit import look
from evidence import overlay as overlays
from evidence.adding import listed
from evidence.files import Files
from evidence.overlay import Holds, NoOverlay, Overlay, _pieces, give_overlay, overlay_of
from evidence.verify import faults
from ground.errors import IllegalMove
from reports.case_pdf import Wanted, case_pages
from reports.overlay_sheet import MOST_LINES, MOST_MAPS, overlay_sheet
from reports.words import Language, Words
from tests.bundle_world import judged_world
from tests.cases_world import ROAD, changes_of, layer_of, line, new_store, new_url, on_grid, rect
from tests.evidence_world import LIMITS, case_in, files_in
from tests.test_cli import refusal, tiankan

BY = ("李伟", "county")
World = tuple[CaseStore, str, Files]
DAYS = np.datetime64("2021-05-01"), np.datetime64("2021-09-01")


@pytest.fixture(params=["registry", "files"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> World:
    """A square of 100 m: four permits of 40 m by 40 m in it; land 0103 on 30 m of its width, 0601 on the rest."""
    return judged_world(tmp_path, new_url(tmp_path), request.param == "registry")


def overlay(world: World) -> Overlay:
    store, case, _ = world
    with store.transaction() as session:
        return overlay_of(session, case)


def test_the_pieces_are_those_of_the_facts(world: World) -> None:
    found = overlay(world)
    assert found.titles == {"permits": "Permits", "rivers": "Rivers", "land_use": "Land"}
    assert found.area_m2 == pytest.approx(10_000, abs=0.5)
    said = {(p.layer, p.number): (p.land_class, round(p.area_m2), p.holds) for p in found.pieces}
    assert said == {
        **{("permits", number): (None, 1600, Holds.EVERY_DAY) for number in ("P0", "P1", "P20", "P21")},
        ("land_use", "L1"): ("0103", 3000, Holds.EVERY_DAY), ("land_use", "L2"): ("0601", 7000, Holds.EVERY_DAY),
    }  # fmt: skip
    store, case, _ = world
    share = store.case(case).seen["permits_share"]
    assert sum(p.area_m2 for p in found.pieces if p.layer == "permits") / found.area_m2 == pytest.approx(
        share
    )
    assert all(p.shape.within(found.outline.buffer(1e-7)) for p in found.pieces)


def test_what_holds_when(tmp_path: Path) -> None:
    del tmp_path
    changes = changes_of(rect(0, 0, 100, 100))
    since = ["2010-01-01", "2010-01-01", "2021-06-01", "2022-01-01", None, "2020-01-01"]
    until = [None, "2021-04-30", None, None, None, "2019-01-01"]
    data = layer_of(
        changes, [rect(10 * i, 0, 10 * i + 10, 100) for i in range(6)], number=[str(i) for i in range(6)],
        valid_from=since, valid_to=until,
    )  # fmt: skip
    crs = data.frame.crs
    shape = changes.geometry.to_crs(crs).iloc[0]
    found = {one.number: one.holds.value for one in _pieces("l", data, shape, DAYS, crs)}
    assert found == {
        "0": "every_day", "1": "no_day", "2": "some_days", "3": "no_day", "4": "unknown", "5": "unknown",
    }  # fmt: skip
    nobody_knows = (np.datetime64("NaT"), np.datetime64("NaT"))
    assert {one.holds for one in _pieces("l", data, shape, nobody_knows, crs)} == {Holds.UNKNOWN}


def test_lines_and_points_are_pieces_and_neighbours_are_not() -> None:
    changes = changes_of(rect(0, 0, 100, 100))
    shapes = [
        line((50, -50), (50, 50)),
        on_grid(shapely.Point(20, 20)),
        rect(100, 0, 200, 100),
        line((0, 100), (100, 100)),
        line((300, 0), (300, 9)),
    ]
    names = ["road", "well", "next", "border", "away"]
    data = layer_of(changes, shapes, number=names, measures=["count"])
    shape = changes.geometry.to_crs(data.frame.crs).iloc[0]
    found = list(_pieces("l", data, shape, DAYS, data.frame.crs))
    assert [(p.number, p.area_m2, round(p.length_m, 1)) for p in found] == [
        ("road", 0, 50.0),
        ("well", 0, 0.0),
    ]


def test_it_is_kept_once_and_opens_in_any_gis(world: World, tmp_path: Path) -> None:
    store, case, files = world
    one, two = (give_overlay(store, files, case, BY, ROAD, LIMITS) for _ in range(2))
    assert (one.new, two.new, len(listed(store, case))) == (True, False, 1)
    kept = one.evidence
    assert (kept.kind, kept.name) == ("overlay", "overlay.geojson")
    assert kept.note == "6 pieces of 3 layers, as known on 2021-10-01"
    path = tmp_path / "kept.geojson"
    path.write_bytes(b"".join(files.chunks(kept.sha256)))
    frame = pyogrio.read_dataframe(path)
    assert list(frame["part"]) == ["change"] + ["piece"] * 6
    said = json.loads(path.read_text(encoding="utf-8"))
    assert (said["case"], set(said["sources"])) == (case, set(overlay(world).sources))
    assert [*faults(store, files, case)] == []
    with store.transaction() as session:
        assert look(session, []).faults == []
    with pytest.raises(IllegalMove, match="by a named person"):
        give_overlay(store, files, case, ("tiankan", "county"), ROAD, LIMITS)


@pytest.mark.parametrize("world", ["files"], indirect=True)
def test_layers_that_changed_are_no_overlay(world: World, tmp_path: Path) -> None:
    store, case, files = world
    (tmp_path / "permits.gpkg").write_bytes(b"other")
    with pytest.raises(NoOverlay, match="no longer as they were when it was judged"):
        give_overlay(store, files, case, BY, ROAD, LIMITS)
    assert listed(store, case) == []
    assert len(case_pages(store, case, ROAD, Wanted(language=Language.ZH, draft=True))) >= 2


def test_what_no_judging_is_known_of_has_none(tmp_path: Path) -> None:
    store, case = case_in(new_store(tmp_path))
    with pytest.raises(NoOverlay, match="before judgings were kept"):
        overlay((store, case, files_in(tmp_path)))


@pytest.mark.parametrize("world", ["files"], indirect=True)
def test_a_page_reads_no_huge_layers_the_verb_does(world: World) -> None:
    store, case, files = world
    with store.transaction() as session, pytest.raises(NoOverlay, match="too large to be read for a page"):
        overlay_of(session, case, 10_000)
    assert overlays.PAGE_BYTES > 10_000
    assert give_overlay(store, files, case, BY, ROAD, LIMITS).new


def test_the_sheet_says_shares_and_what_is_not_there(world: World) -> None:
    found = overlay_sheet(overlay(world), "", Words(Language.EN))
    assert [(one["title"], one["said"]) for one in found["maps"]] == [
        ("Permits", "9.60 mu, 64.0%"),
        ("Land", "15.00 mu, 100.0%"),
    ]
    assert found["nothing"] == "Nothing inside the change of: Rivers."
    assert found["lines"][4] == ["Land", "L2", "0601", *found["lines"][4][3:]]
    assert found["lines"][4][-1] == "10.50"
    none = overlay_sheet(None, "no", Words(Language.ZH))
    assert (none["why"], none["maps"]) == ("no", [])


@pytest.mark.parametrize("world", ["registry"], indirect=True)
def test_hundreds_of_pieces_are_cut_short_and_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = overlay(world)
    hole = whole.outline.difference(whole.outline.centroid.buffer(1e-4))
    many = [
        overlays.Piece(
            layer=f"l{i % 20}", title=f"图层{i % 20}", number=f"N{i}", land_class=None, valid_from=date(2020, 1, 1),
            valid_to=None, holds=list(Holds)[i // 20 % 4], area_m2=5000.0, length_m=0.0, shape=hole,
        )
        for i in range(400)
    ]  # fmt: skip
    large = Overlay(**{**whole.__dict__, "pieces": many, "titles": {f"l{i}": f"图层{i}" for i in range(20)}})
    found = overlay_sheet(large, "", Words(Language.ZH))
    assert (len(found["maps"]), len(found["lines"])) == (MOST_MAPS, MOST_LINES)
    assert found["more"] == "仅绘前 12 个图层，共 20 个。 仅列前 40 条，共 400 条。"
    assert "未始终有效" in found["maps"][0]["said"]
    monkeypatch.setattr("reports.case_pdf.overlay_of", lambda *_: large)
    store, case, _ = world
    assert len(case_pages(store, case, ROAD, Wanted(language=Language.EN, draft=True))) >= 3


@pytest.mark.sqlite
def test_the_verb(world: World, tmp_path: Path) -> None:
    store, case, _ = world
    words = ("cases", "evidence", case, "--db", store.engine.url.database)
    assert "--actor: is missing; an overlay is given by a named person" in refusal(*words, "--overlay")
    by = ("--actor", "李伟", "--role", "county")
    code, out, err = tiankan(*words, "--overlay", *by, "--json")
    assert (code, [(row["kind"], row["new"]) for row in json.loads(out)]) == (0, [("overlay", True)]), err
    assert "five things" in refusal(*words, "--overlay", "--chips", *by)
    (tmp_path / "layers.toml").write_text("", encoding="utf-8")
