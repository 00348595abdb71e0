"""The learned detector: a change network over a window, at a pixel size it knows, on the device at hand."""

import copy
import math
from dataclasses import dataclass, replace
from functools import cached_property
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
from models.fold import folded
from models.probability import EVERYWHERE, Inner, PairProbability, whole_sides
from models.tiled import TiledNetwork

Float = NDArray[np.float32]

GRAY = 127.0
"""What both dates show where one of them shows nothing: no difference comes from it."""
BYTE = 255.0
SLACK = 0.02


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


@dataclass(frozen=True)
class Learned:
    """A network ready for windows of one pair. Sees red, green, blue; `low`, `high`: values shown as 0 and 255."""

    network: Any
    card: Card
    device: str
    gsd_m: float | None = None
    low: float = 0.0
    high: float = BYTE
    plain: bool = False
    """The difference of the two dates' building probabilities alone, without the change head: a yardstick."""
    decides_at: float | None = None
    """Threshold from which on probability must be exact; None: the card's."""
    asked: str = "auto"
    """The device that was asked for: another machine may have a better one than this."""

    def __reduce__(self) -> tuple[Any, ...]:
        # By value, so that a machine without the weights' file can look; each puts it on its own device.
        given = (self.card, self.gsd_m, self.low, self.high, self.plain, self.decides_at, self.asked)
        return _revived, (copy.deepcopy(self.network).cpu(), *given)

    @cached_property
    def resampled(self) -> tuple[int, int]:
        """(averaged, enlarged): whole factors by which the scene is made coarser, or finer, to suit the card."""
        return self.card.resampling(self.gsd_m)

    @cached_property
    def _pair(self) -> PairProbability:
        # A device with memory of its own is quicker with the whole.
        network = TiledNetwork(self.network) if self.device == "cpu" else self.network
        module = PairProbability(network, self.card, self.working_gsd_m, self.plain)
        return module.to(self.device).eval()

    @property
    def working_gsd_m(self) -> float | None:
        """Pixel size at which the network looks."""
        return self.card.working_gsd_m(self.gsd_m)

    @property
    def threshold(self) -> float:
        """Where the decision falls."""
        at = self.card.operating_at(self.working_gsd_m).threshold
        return at if self.decides_at is None else self.decides_at

    @property
    def exact_from(self) -> float:
        """A byte of the change map below the threshold, so that rounding and resampling decide nothing."""
        return max(self.threshold - SLACK, 0.0)

    @property
    def margin(self) -> int:
        """Context, in the scene's pixels; keeps windows in step with the network's strides."""
        averaged, enlarged = self.resampled
        return self.card.margin_px * averaged // enlarged

    @property
    def step(self) -> int:
        """Windows that begin at multiples of this are averaged, enlarged and convolved alike."""
        averaged, enlarged = self.resampled
        strides = whole_sides(self.card.scales) * averaged
        return strides // math.gcd(strides, enlarged)

    def __call__(self, before: Float, after: Float) -> Float:
        """Calibrated probability of change; (3, rows, columns) → (rows, columns)."""
        return self.look(before, after)[0]

    def look(self, before: Float, after: Float, inner: Inner = EVERYWHERE) -> tuple[Float, Float]:
        """(probability, direction: building after less before, −1 to 1), each (rows, columns).

        Decisions hold within `inner`; around it there are estimates.
        """
        rows, columns = before.shape[1:]
        averaged, enlarged = self.resampled
        first, second = (self._ready(date) for date in (before, after))
        down, across = (_working(part, averaged, enlarged) for part in inner)
        with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=self.device == "cuda"):
            planes = []
            for plane in self._pair.look(first, second, self.exact_from, (down, across)):
                if averaged > 1:
                    plane = functional.interpolate(plane, scale_factor=float(averaged), mode="bilinear")
                elif enlarged > 1:
                    plane = functional.avg_pool2d(plane, enlarged)
                planes.append(np.asarray(plane[0, 0, :rows, :columns].cpu().numpy(), dtype=np.float32))
        return planes[0], planes[1]

    def _ready(self, date: Float) -> torch.Tensor:
        """0 to 255 at the working pixel size, padded to whole strides; 1 × 3 × rows × columns."""
        averaged, enlarged = self.resampled
        # As stored to the device, a quarter of the bytes to move; numbers are made of them there.
        given = torch.from_numpy(np.ascontiguousarray(date)[None])
        if self.device == "cuda":
            given = given.pin_memory()
        # Laid out as the network wants it while it is small.
        image = given.to(self.device, non_blocking=True).contiguous(memory_format=torch.channels_last).float()
        if (self.low, self.high) != (0.0, BYTE) or date.dtype != np.uint8:
            image = ((image - self.low) * (BYTE / (self.high - self.low))).clamp_(0, BYTE)
        if enlarged > 1:
            image = functional.interpolate(image, scale_factor=float(enlarged), mode="bilinear")
        step = whole_sides(self.card.scales) * averaged
        down, right = (-image.shape[2]) % step, (-image.shape[3]) % step
        if down or right:
            # Repeats the last row and column: the network needs whole strides, and an edge is no building.
            image = functional.pad(image, (0, right, 0, down), mode="replicate")
        return functional.avg_pool2d(image, averaged) if averaged > 1 else image

    def shown(self, low: float, high: float) -> "Learned":
        """The same with another display range."""
        return replace(self, low=low, high=high)

    def parameters(self) -> dict[str, Any]:
        """Which weights, on what, how resampled, how calibrated."""
        averaged, enlarged = self.resampled
        at = self.card.operating_at(self.working_gsd_m)
        return {
            "weights": self.card.name,
            "weights_sha256": self.card.sha256,
            "device": self.device,
            "precision": "bfloat16" if self.device == "cuda" else "float32",
            "scales": list(self.card.scales),
            "plain_difference": self.plain,
            "averaged": averaged,
            "enlarged": enlarged,
            "shown_as_0_and_255": [self.low, self.high],
            "threshold": self.threshold,
            "temperature": at.temperature,
            "bias": at.bias,
        }


def _working(part: slice, averaged: int, enlarged: int) -> slice:
    """A part of the scene's rows or columns, at the working pixel size."""
    start = None if part.start is None else part.start * enlarged // averaged
    stop = None if part.stop is None else -(-part.stop * enlarged // averaged)
    return slice(start, stop)


def _revived(network: Any, card: Card, gsd_m: float | None, *rest: Any) -> Learned:
    """A detector that came from another process, on this one's device."""
    low, high, plain, decides_at, asked = rest
    where = pick_device(asked)
    ready = network.to(where, memory_format=torch.channels_last)
    return Learned(ready, card, where, gsd_m, low, high, plain, decides_at, asked)


def learned(weights: Path, gsd_m: float | None, device: str = "auto") -> Learned:
    """The detector of a weights file for scenes of one pixel size (None: unknown, taken as it is)."""
    network, card = load(weights)
    where = pick_device(device)
    network = folded(network).to(where, memory_format=torch.channels_last)
    return Learned(network, card, where, gsd_m, asked=device)


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
    before, after = (date[list(places)] for date in (block.before, block.after))
    if not seen.all():
        for date in (before, after):
            date[:, ~seen] = GRAY
    return before, after
