"""The verbs of those who teach and measure: what they print, and one sentence with exit code 2 on bad days."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from models.checkpoint import DEFAULT, find, read_card
from tests.model_world import training_folder
from tests.test_cli import refusal, tiankan
from tests.test_evaluate import labeled


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    for suffix in (".safetensors", ".json"):
        shutil.copy(find(DEFAULT).with_suffix(suffix), tmp_path / f"mine{suffix}")
    file = tmp_path / "mine.safetensors"
    file.write_bytes(file.read_bytes()[:-4] + b"oops")
    return file


def test_models_are_listed_and_shown_with_license_and_figures() -> None:
    code, out, _ = tiankan("models", "list", "--json")
    assert code == 0
    assert DEFAULT in [row["name"] for row in json.loads(out)]
    code, out, _ = tiankan("models", "show", DEFAULT, "--json")
    card = json.loads(out)
    assert code == 0
    assert all(one["license"] for one in card["trained_on"])
    assert {"value", "low", "high", "seed", "pairs", "how"} <= set(card["scores"][0])
    assert card["training"]["command"].startswith("tiankan train")


def test_evaluate_says_what_to_know_before_the_figures(tmp_path: Path) -> None:
    folder, report = labeled(tmp_path / "pairs", count=1), tmp_path / "report.json"
    code, out, err = tiankan("evaluate", folder, "--detector", "cva", "--json", report)
    assert code == 0, err
    assert "1 pairs do not say their pixel size: taken as 0.5 m" in out + err
    assert json.loads(report.read_text())["gsd_taken_for_unknown"] == 1
    code, out, err = tiankan("evaluate", folder, "--gsd", 3, "--json", report)
    assert "outside the card's range" in out + err
    assert json.loads(report.read_text())["outside_the_card"] == ["p0"]


def test_bad_days_of_evaluate(tmp_path: Path, damaged: Path) -> None:
    folder = labeled(tmp_path / "pairs", count=1)
    assert "has no folder before/" in refusal("evaluate", tmp_path / "nowhere")
    assert "'sar' is unknown" in refusal("evaluate", folder, "--detector", "sar")
    assert "its sha256 is" in refusal("evaluate", folder, "--weights", damaged)
    assert "neither a file nor shipped" in refusal("evaluate", folder, "--weights", "resnet")
    assert "no threshold of" in refusal("evaluate", folder, "--max-false-clues", 0.0001)
    if not torch.cuda.is_available():
        assert "no CUDA device is found" in refusal("evaluate", folder, "--device", "cuda")


def test_bad_days_of_models(tmp_path: Path, damaged: Path) -> None:
    assert "neither a file nor shipped" in refusal("models", "show", "nothing")
    assert "its sha256 is" in refusal("models", "export", damaged, "--to", tmp_path / "out")
    assert "outside the working pixel sizes" in refusal(
        "models", "export", DEFAULT, "--to", tmp_path, "--gsd", 5
    )
    root = training_folder(tmp_path / "ground")
    (root / "data.toml").write_text((root / "data.toml").read_text().replace('held_out = ["place-0"]', ""))
    assert "holds nothing out" in refusal("models", "calibrate", DEFAULT, root, "--data", root / "data.toml")
    assert read_card(find(DEFAULT)).operating


def test_bad_days_of_train(tmp_path: Path) -> None:
    root = training_folder(tmp_path / "ground")
    data = ("--data", root / "data.toml")
    assert "'vgg' is unknown" in refusal("train", root, "--out", tmp_path / "o", *data, "--encoder", "vgg")
    assert "100 is not a multiple of 32" in refusal(
        "train", root, "--out", tmp_path / "o", *data, "--side", 100
    )
    assert "cannot be used as training data" in refusal(
        "train", root, "--out", tmp_path / "o", "--data", root
    )
    assert not (tmp_path / "o").exists()
