"""What the network is taught by: Dice + BCE on change and on what stands on each date, where that is known."""

import torch
from torch import Tensor
from torch.nn import functional

from models.dataset import ChipPair, change_target
from models.siamese import LAND, Seen
from models.training_scene import OTHER

SMOOTH = 1.0
LAND_WEIGHT = 0.3


def enlarge(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits at the stride → logits a pixel, bilinear."""
    return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)


def dice_bce(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Both of one shape; the mean over known pixels (BCE) plus 1 − the soft F1 over the batch (Dice)."""
    weight = known.to(logits.dtype)
    truth = target.to(logits.dtype)
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    bce = (each * weight).sum() / weight.sum().clamp(min=1)
    sure = logits.sigmoid() * weight
    overlap = (sure * truth).sum()
    dice = 1 - (2 * overlap + SMOOTH) / (sure.sum() + (truth * weight).sum() + SMOOTH)
    return bce + dice


def total_loss(seen: Seen, sample: ChipPair) -> dict[str, Tensor]:
    """`loss` to go down, and its parts."""
    size = (sample.label_before.shape[-2], sample.label_before.shape[-1])
    target, known = change_target(sample)
    change = dice_bce(enlarge(seen.change.float(), size)[:, 0], target, known)
    labels = torch.cat((sample.label_before, sample.label_after))
    logits = enlarge(torch.cat((seen.before, seen.after)).float(), size)
    building = dice_bce(logits[:, 0], labels == 1, labels > 0)
    land = functional.cross_entropy(logits, _land_codes(labels), ignore_index=-1, reduction="sum") / (
        _land_codes(labels) >= 0
    ).sum().clamp(min=1)
    return {
        "loss": change + building + LAND_WEIGHT * land,
        "change": change,
        "building": building,
        "land": land,
    }


def _land_codes(labels: Tensor) -> Tensor:
    """Index into LAND; −1 where only "no building", or nothing, is known."""
    codes = labels.long() - 1
    return torch.where(
        (labels == 0) | (labels == OTHER), torch.full_like(codes, -1), codes.clamp(max=len(LAND) - 1)
    )
