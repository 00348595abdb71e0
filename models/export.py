"""Weights for other software: ONNX (two pictures, or six channels for QGIS Deepness), torch.export, a STAC MLM Item.

Each file is run beside the eager network and refused where a probability differs by TOLERANCE or more.
"""

import copy
import importlib.util
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import models.vision_ops  # noqa: F401  (before whatever imports torchvision)

# isort: split
import numpy as np
import torch
from numpy.typing import NDArray
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn
from torch.nn import functional

from ground.errors import BadInput
from ground.files import sha256, staging_folder
from models.checkpoint import Card
from models.mlm_item import mlm_item
from models.probability import PairProbability, whole_sides

Float = NDArray[np.float32]
Run = Callable[[Float, Float], Float]
"""before, after: 1 × 3 × H × W of 0 to 255 → 1 × 1 × H × W."""

TOLERANCE = 1e-4
QGIS_SIDE = 512
QGIS_OVERLAP_PERCENT = 25
OPSET = 18
BLOCK = 16
NEEDED = ("onnx", "onnxruntime", "onnxscript")


class SixChannels(nn.Module):
    """One picture in: red, green, blue before, then after, of 0 to 1, as QGIS Deepness gives it."""

    def __init__(self, pair: PairProbability) -> None:
        super().__init__()
        self.pair = pair

    def forward(self, image: Tensor) -> Tensor:
        """N × 6 × H × W → N × 1 × H × W."""
        scaled = image * 255.0
        found: Tensor = self.pair(scaled[:, :3], scaled[:, 3:])
        return found


class FixedPadding(nn.Module):
    """A stride-2 convolution of "same" padding, for even sides: its padding is a number, not a formula of the side."""

    def __init__(self, conv: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, groups=conv.groups,
            bias=conv.bias is not None,
        )  # fmt: skip
        self.conv.load_state_dict(conv.state_dict())
        each = [size - step for size, step in zip(conv.kernel_size, conv.stride, strict=True)]
        down, across = ((total // 2, total - total // 2) for total in each)
        self.padding = (*across, *down)

    def forward(self, x: Tensor) -> Tensor:
        """N × C × H × W, both even → half as many."""
        found: Tensor = self.conv(functional.pad(x, self.padding))
        return found


def _fixed(module: nn.Module) -> nn.Module:
    for name, child in module.named_children():
        setattr(module, name, FixedPadding(child) if isinstance(child, Conv2dSame) else _fixed(child))
    return module


def export(network: Any, card: Card, gsd_m: float, to: Path) -> dict[str, float]:
    """Writes NAME.onnx, NAME-qgis.onnx, NAME.pt2 and NAME.stac.json into `to`, all or none.

    `gsd_m`: working pixel size whose calibration goes into the files. Returns the largest |Δp| of each file.

    Raises:
        BadInput: ONNX is not installed; a file does not say what the network says.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise BadInput(
            f"export: {', '.join(missing)} are not installed; run pip install -c constraints.txt -e '.[train]'"
        )
    eager = PairProbability(network, card, gsd_m).eval()
    pair = PairProbability(_fixed(copy.deepcopy(network)), card, gsd_m).eval()
    differences: dict[str, float] = {}
    with staging_folder(to) as staging, warnings.catch_warnings():
        # The exporter warns of its own deprecated calls.
        warnings.simplefilter("ignore")
        square, side = (QGIS_SIDE, QGIS_SIDE), whole_sides(card.scales)
        any_size = (square, (3 * side, 5 * side))
        for name, write, shapes in (
            (f"{card.name}.pt2", _write_pt2, any_size),
            (f"{card.name}.onnx", _write_onnx, any_size),
            (f"{card.name}-qgis.onnx", _write_qgis, (square,)),
        ):
            run = write(pair, card, gsd_m, staging / name)
            differences[name] = checked(run, eager, name, shapes)
        made = {name: sha256(staging / name) for name in differences}
        item = mlm_item(card, gsd_m, made, sum(p.numel() for p in network.parameters()))
        target = staging / f"{card.name}.stac.json"
        target.write_text(json.dumps(item, indent=2) + "\n", encoding="utf-8")
        for name in (*made, target.name):
            (staging / name).replace(to / name)
    return differences


def checked(run: Run, eager: PairProbability, name: str, shapes: tuple[tuple[int, int], ...]) -> float:
    """The largest |Δp| of a file against the eager network, over noisy blocks in pictures of these shapes.

    Raises:
        BadInput: TOLERANCE or more.
    """
    rng = np.random.default_rng(0)
    worst = 0.0
    for rows, columns in shapes:
        blocks = rng.uniform(0, 255, (2, 1, 3, rows // BLOCK, columns // BLOCK))
        dates = np.repeat(np.repeat(blocks, BLOCK, axis=3), BLOCK, axis=4)
        noisy = np.clip(dates + rng.normal(0, 20, dates.shape), 0, 255).astype(np.float32)
        with torch.inference_mode():
            said = eager(*(torch.from_numpy(date) for date in noisy)).numpy()
        worst = max(worst, float(np.abs(run(noisy[0], noisy[1]) - said).max()))
    if worst >= TOLERANCE:
        raise BadInput(f"{name}: differs from the network by {worst:.1e} in probability; nothing was written")
    return worst


def _pictures() -> tuple[Tensor, Tensor]:
    return torch.zeros(1, 3, QGIS_SIDE, QGIS_SIDE), torch.full((1, 3, QGIS_SIDE, QGIS_SIDE), 99.0)


def _sizes(card: Card) -> tuple[dict[int, Any], dict[int, Any]]:
    """Any number of whole strides down and across, the same for both dates."""
    side = whole_sides(card.scales)
    down, across = (side * torch.export.Dim(name, min=1, max=256) for name in ("down", "across"))
    return {2: down, 3: across}, {2: down, 3: across}


def _write_pt2(pair: PairProbability, card: Card, gsd_m: float, target: Path) -> Run:
    del gsd_m
    program = torch.export.export(pair, _pictures(), dynamic_shapes=_sizes(card))
    torch.export.save(program, target)
    module = torch.export.load(target).module()

    def run(before: Float, after: Float) -> Float:
        with torch.inference_mode():
            return np.asarray(module(torch.from_numpy(before), torch.from_numpy(after)).numpy())

    return run


def _write_onnx(pair: PairProbability, card: Card, gsd_m: float, target: Path) -> Run:
    _to_onnx(pair, _pictures(), ["before", "after"], _sizes(card), target)
    _describe(target, card, gsd_m, QGIS_SIDE)
    session = _session(target)

    def run(before: Float, after: Float) -> Float:
        return np.asarray(session.run(None, {"before": before, "after": after})[0])

    return run


def _write_qgis(pair: PairProbability, card: Card, gsd_m: float, target: Path) -> Run:
    picture = torch.cat(_pictures(), dim=1) / 255
    _to_onnx(SixChannels(pair).eval(), (picture,), ["image"], None, target)
    _describe(target, card, gsd_m, QGIS_SIDE)
    session = _session(target)

    def run(before: Float, after: Float) -> Float:
        image = np.concatenate((before, after), axis=1) / np.float32(255)
        return np.asarray(session.run(None, {"image": image})[0])

    return run


def _to_onnx(
    module: nn.Module, given: tuple[Tensor, ...], names: list[str], sizes: Any, target: Path
) -> None:
    torch.onnx.export(
        module, given, str(target), input_names=names, output_names=["probability"], dynamic_shapes=sizes,
        opset_version=OPSET, dynamo=True, external_data=False, verbose=False,
    )  # fmt: skip


def _session(file: Path) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def _describe(file: Path, card: Card, gsd_m: float, side: int) -> None:
    """Metadata by the names that QGIS Deepness reads, and which weights these are."""
    import onnx

    told = {
        "model_type": "Segmentor",
        "class_names": {0: "no change", 1: "building appeared or disappeared"},
        "resolution": gsd_m * 100,
        "tiles_size": side,
        "tiles_overlap": QGIS_OVERLAP_PERCENT,
        "seg_thresh": card.operating_at(gsd_m).threshold,
        "weights": card.name,
        "weights_sha256": card.sha256,
        "license": "; ".join(sorted({one.license for one in card.trained_on})),
    }
    model = onnx.load(str(file))
    for key, value in told.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value)
    onnx.save(model, str(file))
