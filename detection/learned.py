"""The learned detector: a change network over a window, at a pixel size it knows, on the device at hand."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from detection.sample import Sample
from ground.errors import BadInput
from imagery.reader import Block
from models.checkpoint import Card, load
from models.siamese import COARSEST, STRIDE

Float = NDArray[np.float32]

GRAY = 127.0
"""What both dates show where one of them shows nothing: no difference comes from it."""
BYTE = 255.0


def pick_device(asked: str) -> str:
    """`auto` → cuda where there is one, else cpu.

    Raises:
        BadInput: cuda asked for and not there; no such device.
    """
    if asked not in ("auto", "cpu", "cuda"):
        raise BadInput(f"--device: {asked!r} is unknown; use auto, cpu or cuda")
    there = torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise BadInput("--device: cuda was asked for, but no CUDA device is found; use --device cpu or auto")
    return "cuda" if there and asked != "cpu" else "cpu"


def resampling(gsd_m: float | None, card: Card) -> tuple[int, int]:
    """(averaged, enlarged): the whole factor by which a scene is made coarser, or finer, to suit the card."""
    if gsd_m is None:
        return 1, 1
    finest, coarsest = card.work_gsd_m
    averaged = 1
    while gsd_m * averaged < finest * 0.999:
        averaged *= 2
    enlarged = 1
    while gsd_m / enlarged > coarsest * 1.001:
        enlarged *= 2
    return averaged, enlarged


@dataclass(frozen=True)
class Learned:
    """A network ready for windows of one pair. Sees red, green, blue; `low`, `high`: values shown as 0 and 255."""

    network: Any
    card: Card
    device: str
    averaged: int
    enlarged: int
    low: float = 0.0
    high: float = BYTE
    plain: bool = False
    """The difference of the two dates' building probabilities alone, without the change head: a yardstick."""

    @property
    def margin(self) -> int:
        """Context, in the scene's pixels; keeps windows in step with the network's strides."""
        return self.card.margin_px * self.averaged // self.enlarged

    def __call__(self, before: Float, after: Float) -> Float:
        """Probability of change, the mean over the card's scales; (3, rows, columns) → (rows, columns)."""
        rows, columns = before.shape[1:]
        first, second = (self._ready(date) for date in (before, after))
        with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=self.device == "cuda"):
            each = [self._at(first, second, scale) for scale in self.card.scales]
            found = torch.stack(each).mean(dim=0)
            if self.averaged > 1:
                found = functional.interpolate(found, scale_factor=float(self.averaged), mode="bilinear")
            elif self.enlarged > 1:
                found = functional.avg_pool2d(found, self.enlarged)
            return np.asarray(found[0, 0, :rows, :columns].cpu().numpy(), dtype=np.float32)

    def _at(self, first: torch.Tensor, second: torch.Tensor, scale: int) -> torch.Tensor:
        """Probability at the working pixel size, seen `scale` times coarser; 1 × 1 × rows × columns."""
        if scale > 1:
            first, second = (functional.avg_pool2d(date, scale) for date in (first, second))
        seen = self.network(first, second)
        if self.plain:
            built = (date[:, :1].float().sigmoid() for date in (seen.before, seen.after))
            apart = (next(built) - next(built)).abs()
            return functional.interpolate(apart, scale_factor=float(STRIDE * scale), mode="bilinear")
        change = functional.interpolate(
            seen.change.float(), scale_factor=float(STRIDE * scale), mode="bilinear"
        )
        bias = math.log(self.card.threshold / (1 - self.card.threshold))
        return ((change - bias) / self.card.temperature).sigmoid()

    def _ready(self, date: Float) -> torch.Tensor:
        """Normalized, at the working pixel size, padded to whole strides; 1 × 3 × rows × columns."""
        values = (date - self.low) * (BYTE / (self.high - self.low))
        image = torch.from_numpy(np.clip(values, 0, BYTE)[None]).to(self.device)
        if self.enlarged > 1:
            image = functional.interpolate(image, scale_factor=float(self.enlarged), mode="bilinear")
        step = COARSEST * self.averaged * max(self.card.scales)
        down, right = (-image.shape[2]) % step, (-image.shape[3]) % step
        # Repeats the last row and column: the network needs whole strides, and an edge is no building.
        image = functional.pad(image, (0, right, 0, down), mode="replicate")
        if self.averaged > 1:
            image = functional.avg_pool2d(image, self.averaged)
        mean, std = (
            torch.tensor(v, device=self.device).reshape(1, -1, 1, 1) for v in (self.card.mean, self.card.std)
        )
        return ((image - mean) / std).contiguous(memory_format=torch.channels_last)

    def at(self, gsd_m: float | None) -> "Learned":
        """The same for scenes of another pixel size."""
        averaged, enlarged = resampling(gsd_m, self.card)
        return replace(self, averaged=averaged, enlarged=enlarged)

    def shown(self, low: float, high: float) -> "Learned":
        """The same with another display range."""
        return replace(self, low=low, high=high)

    def parameters(self) -> dict[str, Any]:
        """Which weights, on what, how resampled."""
        return {
            "weights": self.card.name,
            "weights_sha256": self.card.sha256,
            "device": self.device,
            "precision": "bfloat16" if self.device == "cuda" else "float32",
            "scales": list(self.card.scales),
            "plain_difference": self.plain,
            "averaged": self.averaged,
            "enlarged": self.enlarged,
            "shown_as_0_and_255": [self.low, self.high],
            "threshold": self.card.threshold,
            "temperature": self.card.temperature,
        }


def learned(weights: Path, gsd_m: float | None, device: str = "auto") -> Learned:
    """The detector of a weights file for scenes of one pixel size (None: unknown, taken as it is)."""
    network, card = load(weights)
    where = pick_device(device)
    network = network.to(where, memory_format=torch.channels_last)
    return Learned(network, card, where, *resampling(gsd_m, card))


def display_range(sample: Sample) -> tuple[float, float]:
    """Values to show as 0 and 255: bytes as they are, else the same stretch for both dates by 0.5 and 99.5 %."""
    values = np.concatenate((sample.before.ravel(), sample.after.ravel()))
    if (
        values.min() >= 0
        and values.max() <= BYTE
        and np.equal(np.mod(values, 1), 0).all()
        and values.max() > 1
    ):
        return 0.0, BYTE
    low, high = (float(v) for v in np.quantile(values, [0.005, 0.995]))
    return low, high if high > low else low + 1.0


def seen_alike(block: Block, places: tuple[int, ...]) -> tuple[Float, Float]:
    """Red, green, blue of both dates; where one was not seen, both show the same."""
    seen = block.observation == 0
    before, after = block.before[list(places)], block.after[list(places)]
    return np.where(seen, before, GRAY), np.where(seen, after, GRAY)
