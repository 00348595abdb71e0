"""The verb says in a table or in JSON what the harvest found; static catalogs and areas of any shape work too."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cli
from ground.errors import BadInput
from imagery.candidates import area_of_file
from imagery.harvest import read_wanted, search
from tests.stac_world import BBOX, COLLECTION, CONFORMS, draw, item, ring, serving

ROOT = Path(__file__).parent.parent
PERIODS = ["--before", "2020-06-01/2020-09-30", "--after", "2023-06-01/2023-09-30"]


def static(folder: Path, **collection: Any) -> Path:
    """A catalog of files: catalog.json, a collection, two Items with relative hrefs."""
    links = []
    for seed, (name, day) in enumerate((("b", "2020-07-10"), ("a", "2023-07-12"))):
        draw(folder / COLLECTION, name, seed)
        (folder / COLLECTION / f"{name}.json").write_text(json.dumps(item(name, day)))
        links.append({"rel": "item", "href": f"./{name}.json"})
    extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
    kind = {"stac_version": "1.0.0", "description": "d"}
    (folder / COLLECTION / "collection.json").write_text(
        json.dumps(
            kind | {"type": "Collection", "id": COLLECTION, "license": "other", "extent": extent, "links": links}
            | collection
        )
    )  # fmt: skip
    child = [{"rel": "child", "href": f"./{COLLECTION}/collection.json"}]
    path = folder / "catalog.json"
    path.write_text(json.dumps(kind | {"type": "Catalog", "id": "c", "links": child}))
    return path


@pytest.mark.parametrize("entry", ["catalog.json", f"{COLLECTION}/collection.json"])
def test_a_static_catalog_is_walked_and_its_files_are_copied(tmp_path: Path, entry: str) -> None:
    static(tmp_path / "c")
    command = [str(ROOT / "tiankan"), "scenes", "search", "--api", str(tmp_path / "c" / entry)]
    command += ["--collection", COLLECTION, "--bbox", BBOX, *PERIODS, "--to", str(tmp_path / "got"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    (pair,) = told["pairs"]
    # 10 and 12 July: two days, half a point each.
    assert (pair["before"], pair["after"], pair["points"], pair["season"]) == ("b", "a", 1, 1)
    assert [Path(row["item"]) for row in told["fetched"]] == [
        tmp_path / "got" / name / f"{name}.json" for name in ("b", "a")
    ]
    assert told["left_out"] == []
    origin = json.loads((tmp_path / "got" / "b" / "b.json").read_text())["links"][0]["href"]
    assert origin == (tmp_path / "c" / COLLECTION / "b.json").as_uri()


def test_a_static_catalog_on_a_server_works_too(tmp_path: Path) -> None:
    static(tmp_path / "served")
    with serving(tmp_path / "served") as world:
        wanted = read_wanted(
            f"{world.url}/files/catalog.json", COLLECTION, (BBOX, None), (PERIODS[1], PERIODS[3])
        )
        (choice,) = search(wanted).choices
        assert choice.before.base == f"{world.url}/files/{COLLECTION}/b.json"
        with pytest.raises(
            BadInput, match="has no scene of other in --before 2020-06-01/2020-09-30 over the"
        ):
            search(
                read_wanted(
                    f"{world.url}/files/catalog.json", "other", (BBOX, None), (PERIODS[1], PERIODS[3])
                )
            )


def test_a_catalog_with_a_broken_link_is_named(tmp_path: Path) -> None:
    path = static(tmp_path / "c")
    (tmp_path / "c" / COLLECTION / "a.json").unlink()
    with pytest.raises(BadInput) as caught:
        search(read_wanted(str(path), COLLECTION, (BBOX, None), (PERIODS[1], PERIODS[3])))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_the_table_shows_every_term(tmp_path: Path) -> None:
    with serving(tmp_path) as world:
        world.items = [item("b", "2020-07-10"), item("a", "2023-07-12", eo__cloud_cover=4.25)]
        area = tmp_path / "area.geojson"
        area.write_text(json.dumps({"type": "Feature", "geometry": ring([112.1, 37.9, 112.2, 38.0])}))
        command = ["scenes", "search", "--api", world.url, "--collection", COLLECTION, "--aoi", str(area)]
        done = CliRunner().invoke(cli.app, [*command, *PERIODS])
    assert done.exit_code == 0, done.output
    assert f"Pairs of {COLLECTION}, the best first" in done.stdout
    assert "A point is as bad as 1 % of the area unseen." in done.stdout
    (row,) = (line for line in done.stdout.splitlines() if "2020-07-10" in line)
    cells = [cell.strip() for cell in row.strip("│┃ ").split("│")]
    assert cells == [
        "1", "b", "2020-07-10", "a", "2023-07-12",
        "4.25", "0.00", "1.00", "0.00", "0.00", "0.00", "0.00", "0.00", "5.25",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "is not GeoJSON ("),
        ("[]", "is not GeoJSON ("),
        ('{"type": "Point", "coordinates": [1, 2]}', "holds something other than polygons"),
        ('{"type": "FeatureCollection", "features": []}', "holds something other than polygons"),
        (json.dumps(ring([600_000, 4_000_000, 600_100, 4_000_100])), "its polygons are empty or not in degrees"),
        ('{"type": "Polygon", "coordinates": []}', "its polygons are empty or not in degrees"),
    ],
)  # fmt: skip
def test_what_is_no_area_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        area_of_file(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


def test_several_polygons_are_one_area(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    features = [{"type": "Feature", "geometry": ring(box)} for box in ([1, 1, 2, 2], [1, 2, 2, 3])]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    assert area_of_file(path).bbox == (1, 1, 2, 3)


def test_an_api_without_a_search_link_is_named(tmp_path: Path) -> None:
    root = {"type": "Catalog", "id": "c", "description": "d", "stac_version": "1.0.0", "conformsTo": CONFORMS}
    with serving(tmp_path) as world:
        world.faults["/"] = json.dumps(root | {"links": []}).encode()
        with pytest.raises(BadInput) as caught:
            search(read_wanted(world.url, COLLECTION, (BBOX, None), (PERIODS[1], PERIODS[3])))
    assert str(caught.value).startswith(f"{world.url}: ")
