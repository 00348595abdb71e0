"""Real pairs as training data: folders of labels, scenes with polygons of change, and what of them is refused."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from ground.errors import BadInput
from models.dataset import Chips
from models.training_data import read_training_scenes
from models.training_scene import CHANGE_UNKNOWN, CHANGED, UNCHANGED
from tests.model_world import mask, picture, write

HOUSE = ((40, 60, 30, 20),)
FOLDER = '[real]\nlicense = "ours"\npairs = "."\ngsd_m = 0.5\nheld_out = ["p1"]\n'
SCENES = '[real]\nlicense = "ours"\nbefore = "a.tif"\nafter = "b.tif"\nchanges = "changes.gpkg"\n'


def folder(root: Path) -> Path:
    for k in range(2):
        write(root / "before" / f"p{k}.png", picture(128, (), k))
        write(root / "after" / f"p{k}.png", picture(128, HOUSE, k + 5))
        write(root / "label" / f"p{k}.png", mask(128, HOUSE) * 255)
    (root / "data.toml").write_text(FOLDER)
    return root


def test_a_folder_of_pairs_teaches_where_its_label_says(tmp_path: Path) -> None:
    root = folder(tmp_path)
    learn, kept = read_training_scenes(root / "data.toml", root)
    assert [scene.name for scene in learn + kept] == ["real/p0", "real/p1"]
    change = learn[0].change
    assert change is not None
    assert np.array_equal(change == CHANGED, mask(128, HOUSE) == 1)
    assert not learn[0].label.any()  # what stands there is not said
    chips = iter(Chips(learn, 64, seed=3, gsd_range_m=(0.5, 0.5)))
    drawn = [next(chips) for _ in range(12)]
    shares = [float((one.change == CHANGED).float().mean()) for one in drawn]
    assert max(shares) > 0.02
    for one in drawn:
        inside = (one.change == CHANGED).numpy()
        if inside.sum() > 60:
            red = [date.numpy()[0][inside].mean() - date.numpy()[1][inside].mean() for date in one[:2]]
            assert abs(red[0] - red[1]) > 20  # a roof on one date only


def test_scenes_with_polygons_meet_on_the_first_s_grid(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", picture(128), 0.5)
    write(tmp_path / "b.tif", picture(64, ((20, 30, 15, 10),)), 1.0)  # the same ground, half as fine
    box = shapely.box(500_000 + 30, 4_000_000 - 35, 500_000 + 40, 4_000_000 - 20)
    gpd.GeoDataFrame(geometry=[box], crs=32650).to_crs(4326).to_file(tmp_path / "changes.gpkg")
    (tmp_path / "data.toml").write_text(SCENES)
    scene = read_training_scenes(tmp_path / "data.toml", tmp_path)[0][0]
    assert (scene.gsd_m, scene.image.shape) == (0.5, (128, 128, 3))
    assert scene.other is not None
    assert scene.change is not None
    assert int((scene.change == CHANGED).sum()) == 20 * 30
    inside = scene.change == CHANGED
    assert scene.other[inside][:, 0].mean() > 180 > 110 > scene.image[inside][:, 0].mean()


def test_ground_that_one_scene_does_not_show_is_not_known(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", picture(128), 0.5)
    write(tmp_path / "b.tif", picture(64), 0.5)
    gpd.GeoDataFrame(geometry=[], crs=32650).to_file(tmp_path / "changes.gpkg")
    (tmp_path / "data.toml").write_text(SCENES)
    change = read_training_scenes(tmp_path / "data.toml", tmp_path)[0][0].change
    assert change is not None
    assert (change[:60, :60] == UNCHANGED).all()
    assert (change[70:, 70:] == CHANGE_UNKNOWN).all()


def test_pairs_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    root = folder(tmp_path)
    write(root / "label" / "p1.png", mask(128, HOUSE) * 9)
    with pytest.raises(BadInput, match=r"p1.png: a label is 0 and 1.* holds \[9\]"):
        read_training_scenes(root / "data.toml", root)
    write(root / "label" / "p1.png", mask(64))
    with pytest.raises(BadInput, match=r"p1.png: has \(64, 64\) pixels"):
        read_training_scenes(root / "data.toml", root)
    (root / "label" / "p1.png").unlink()
    with pytest.raises(BadInput, match="p1 is missing in label"):
        read_training_scenes(root / "data.toml", root)
    (root / "data.toml").write_text(FOLDER.replace("gsd_m = 0.5\n", ""))
    write(root / "label" / "p1.png", mask(128))
    with pytest.raises(BadInput, match="does not say its pixel size; give gsd_m"):
        read_training_scenes(root / "data.toml", root)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('before = "a.tif"\n', "before needs after and changes"),
        ('pairs = "."\nimages = "*.png"\n', "give one of images, pairs, or before"),
        ("", "give one of images, pairs, or before"),
    ],
)
def test_a_table_that_is_no_kind_of_data_is_named(tmp_path: Path, table: str, said: str) -> None:
    (tmp_path / "data.toml").write_text('[x]\nlicense = "ours"\n' + table)
    with pytest.raises(BadInput, match=said):
        read_training_scenes(tmp_path / "data.toml", tmp_path)
