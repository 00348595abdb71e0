"""Weights for other software say what the network says, and carry who they are."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pystac
import pytest

from ground.errors import BadInput
from models import export as exporting
from models.checkpoint import Operating
from models.export import export
from tests.test_siamese import card, random_network

AT = Operating(
    gsd_m=(0.3, 1.1), temperature=1.5, bias=-0.5, threshold=0.5, ece=0.0, pairs=1, measured_on="drawn"
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    folder = tmp_path_factory.mktemp("exported")
    known = card(scales=(1, 2), operating=(AT,), sha256="ab" * 32)
    return folder, export(random_network(), known, 0.5, folder)


def test_each_file_says_what_the_network_says(exported: tuple[Path, dict[str, float]]) -> None:
    folder, differences = exported
    assert set(differences) == {"t.pt2", "t.onnx", "t-qgis.onnx"}
    assert max(differences.values()) < 1e-4
    assert sorted(file.name for file in folder.iterdir()) == ["t-qgis.onnx", "t.onnx", "t.pt2", "t.stac.json"]


def test_onnx_takes_any_whole_size_and_knows_no_order_of_time(
    exported: tuple[Path, dict[str, float]],
) -> None:
    session = onnxruntime.InferenceSession(str(exported[0] / "t.onnx"), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    before, after = rng.uniform(0, 255, (2, 2, 3, 128, 192)).astype(np.float32)[:, :1]
    forth = session.run(None, {"before": before, "after": after})[0]
    back = session.run(None, {"before": after, "after": before})[0]
    assert forth.shape == (1, 1, 128, 192)
    assert np.abs(forth - back).max() < 1e-6


def test_qgis_finds_its_metadata(exported: tuple[Path, dict[str, float]]) -> None:
    model = onnx.load(str(exported[0] / "t-qgis.onnx"))
    told = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert (told["model_type"], told["resolution"], told["tiles_size"]) == ("Segmentor", 50.0, 512)
    assert told["seg_thresh"] == 0.5
    assert told["weights_sha256"] == "ab" * 32
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [1, 6, 512, 512]


def test_the_item_is_stac_and_names_its_files_by_hash(exported: tuple[Path, dict[str, float]]) -> None:
    item = pystac.Item.from_file(str(exported[0] / "t.stac.json"))
    assert item.properties["mlm:tasks"] == ["semantic-segmentation"]
    assert [one["name"] for one in item.properties["mlm:input"]] == ["before", "after"]
    assert set(item.assets) == {"t.pt2", "t.onnx", "t-qgis.onnx"}
    assert all(asset.extra_fields["file:checksum"].startswith("1220") for asset in item.assets.values())


def test_a_file_that_says_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(_pair: object, _card: object, _gsd_m: float, target: Path) -> object:
        target.write_bytes(b"nothing")
        return lambda before, _after: np.zeros((1, 1, *before.shape[2:]), dtype=np.float32)

    monkeypatch.setattr(exporting, "_write_pt2", wrong)
    with pytest.raises(BadInput, match=r"t.pt2: differs from the network by .* nothing was written"):
        export(random_network(), card(), 0.5, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))
