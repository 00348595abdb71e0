"""A sheet of pictures: the pairs that a detector told best and worst, with what is true and what it said."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ground.files import written_beside
from imagery.labeled import LabeledPair

Bytes = NDArray[np.uint8]

LONGEST_SIDE = 512
EACH_WAY = 4
"""Pairs from either end."""
TITLES = ("before", "after", "probability", "found, missed, false")
FOUND, MISSED, FALSE = (60, 170, 90), (235, 150, 40), (215, 50, 60)


@dataclass(frozen=True)
class Drawn:
    """Pictures of one pair, rows × columns × 3 each, in the order of TITLES."""

    pictures: tuple[Bytes, Bytes, Bytes, Bytes]


def draw(pair: LabeledPair, probability: NDArray[np.float32], threshold: float) -> Drawn:
    """The pair made small; both dates stretched alike where they are not bytes."""
    step = max(1, -(-max(probability.shape) // LONGEST_SIDE))
    thin = (slice(None, None, step), slice(None, None, step))
    before, after = (date[:3][(slice(None), *thin)] for date in (pair.before, pair.after))
    both = np.concatenate((before.ravel(), after.ravel()))
    low, high = (0.0, 255.0) if both.max() > 1 and both.max() <= 255 else np.quantile(both, [0.005, 0.995])
    shown = [
        np.clip((date - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8).transpose(1, 2, 0)
        for date in (before, after)
    ]
    chance = np.rint(probability[thin] * 255).astype(np.uint8)
    said, true, known = (probability >= threshold)[thin], pair.label[thin], pair.known[thin]
    over = (shown[1] * 0.45 + 90).astype(np.uint8)
    for where, color in ((said & true, FOUND), (~said & true, MISSED), (said & ~true, FALSE)):
        over[where & known] = color
    over[~known] = 128
    return Drawn((shown[0], shown[1], np.stack([chance] * 3, axis=2), over))


def write_sheet(pairs: list[tuple[str, float, Drawn]], target: Path) -> None:
    """PNG: a row a pair (name, F1, pictures), the best EACH_WAY, then the worst."""
    ranked = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
    rows = ranked if len(ranked) <= 2 * EACH_WAY else [*ranked[:EACH_WAY], *ranked[-EACH_WAY:]]
    figure = Figure(figsize=(10, 2.6 * len(rows) + 0.5), layout="constrained", dpi=110)
    grid = figure.subplots(len(rows), len(TITLES), squeeze=False)
    for axes, title in zip(grid[0], TITLES, strict=True):
        axes.set_title(title, fontsize=10)
    for line, (name, score, drawn) in zip(grid, rows, strict=True):
        for axes, picture in zip(line, drawn.pictures, strict=True):
            axes.imshow(picture, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(f"{name[:28]}\nF1 {score:.2f}", fontsize=9)
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(target) as beside:
        figure.savefig(beside, format="png")
