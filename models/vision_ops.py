"""torchvision's operators declared on import; timm and torchmetrics import torchvision.

XX torchvision's compiled part: beside a CPU torch its operators are missing, and their names must exist."""

from typing import Any

import torch

_OPERATORS: list[Any] = []


def declare_missing_operators() -> None:
    """Name torchvision's operators, so that its import (timm's) does not fail beside a torch built for the CPU.

    Nothing of ours calls them. On a CUDA build torchvision brings them itself.
    """
    if torch.version.cuda is not None or _OPERATORS:
        return
    library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _OPERATORS.append(library)


declare_missing_operators()
