"""How many megapixels of pairs a second the change network looks at, beside the encoders of published networks.

    python benchmarks/network_rate.py --to benchmarks/results

One process, arrays in memory, float32, pairs of 1,024 × 1,024. Published networks stand here by their encoder alone
(random weights, both dates): TinyCD's is EfficientNet-B4 to stride 8, ChangerEx's ResNet-18; with their decoders they
are slower, so each ratio is a lower bound.
"""

import argparse
import ctypes
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
import models.vision_ops  # noqa: F401  (before whatever imports torchvision)

# isort: split
import numpy as np
import timm
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from detection.learned import learned
from models.checkpoint import DEFAULT, find, shipped

SIDE = 1024
ROUNDS = 5
PUBLISHED = {
    "TinyCD's encoder": ("tf_efficientnet_b4", (0, 1, 2)),
    "ChangerEx-r18's encoder": ("resnet18", (1, 2, 3, 4)),
}
ASKED = {"TinyCD's encoder": 5.0, "ChangerEx-r18's encoder": 3.0}
KEEP_MEMORY = ((-3, 1 << 32), (-1, 1 << 33))
"""mallopt: blocks that large stay with the process; without it each layer's memory is fetched anew."""


def ground(rng: np.random.Generator, roofs: int) -> NDArray[np.float32]:
    """3 × SIDE × SIDE: drawn fields with texture, and as many roofs."""
    coarse = rng.uniform(60, 150, (3, 16, 16))
    image = np.repeat(np.repeat(coarse, SIDE // 16, axis=1), SIDE // 16, axis=2)
    image = image + rng.normal(0, 8, (3, SIDE, SIDE))
    for _ in range(roofs):
        row, column = rng.integers(0, SIDE - 80, 2)
        image[:, row : row + 60, column : column + 80] = rng.uniform(150, 230, (3, 1, 1))
    return np.clip(image, 0, 255).astype(np.float32)


def looks(device: str, more: list[str]) -> dict[str, Callable[[], Any]]:
    """What is timed, by name."""
    rng = np.random.default_rng(0)
    before = ground(rng, 0)
    after = np.clip(before + rng.normal(4, 3, before.shape), 0, 255).astype(np.float32)
    every: dict[str, Callable[[], Any]] = {}
    one_roof = after.copy()
    one_roof[:, 500:560, 400:480] = np.array([200, 90, 70], dtype=np.float32)[:, None, None]
    for wanted in [*shipped(), *more]:
        for gsd_m in (0.2, 0.5):
            look = learned(find(wanted), gsd_m, device)
            name = look.card.name
            every[f"{name}, {gsd_m} m, quiet ground"] = lambda look=look: look(before, after)
            every[f"{name}, {gsd_m} m, one new roof"] = lambda look=look: look(before, one_roof)
            every[f"{name}, {gsd_m} m, change everywhere"] = lambda look=look: replace(look, decides_at=0.03)(
                before, after
            )
    pair = torch.from_numpy(np.stack((before, after)) / 255).to(device)
    pair = pair.contiguous(memory_format=torch.channels_last)
    for name, (encoder, levels) in PUBLISHED.items():
        network = timm.create_model(encoder, features_only=True, pretrained=False, out_indices=levels)
        network = network.eval().to(device, memory_format=torch.channels_last)
        every[name] = lambda network=network: network(pair)
    return every


def timed(every: dict[str, Callable[[], Any]], device: str) -> dict[str, float]:
    """Median Mpx/s of each; in turn, so that a machine that slows down slows all."""
    seconds: dict[str, list[float]] = {name: [] for name in every}
    with torch.inference_mode():
        for turn in range(ROUNDS + 1):
            for name, look in every.items():
                start = time.perf_counter()
                look()
                if device == "cuda":
                    torch.cuda.synchronize()
                if turn:
                    seconds[name].append(time.perf_counter() - start)
    return {name: round(SIDE**2 / 1e6 / float(np.median(each)), 2) for name, each in seconds.items()}


def machine(device: str) -> dict[str, Any]:
    """Where it was measured."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": model[0].split(":")[1].strip() if model else platform.processor(),
        "threads": torch.get_num_threads(),
        "load_before": os.getloadavg()[0],
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "torch": torch.__version__,
        "timm": timm.__version__,
    }


def draw(rates: dict[str, float], target: Path) -> None:
    """Bars, fastest above."""
    ranked = sorted(rates.items(), key=lambda one: one[1])
    figure = Figure(figsize=(8, 0.45 * len(ranked) + 1), layout="constrained", dpi=120)
    axes = figure.subplots()
    colors = ["#8a8f98" if name in PUBLISHED else "#1f6f54" for name, _ in ranked]
    bars = axes.barh([name for name, _ in ranked], [rate for _, rate in ranked], color=colors)
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.set_xlabel("megapixels of pairs a second")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(target)


def main() -> None:
    """Measures, prints, stores."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, help="folder for network_rate.json and network_rate.png")
    parser.add_argument("--weights", nargs="*", default=[], help="other weights beside the shipped ones")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    if platform.system() == "Linux":
        for option, value in KEEP_MEMORY:
            ctypes.CDLL(None).mallopt(option, min(value, 2**31 - 1))
    about, rates = machine(given.device), timed(looks(given.device, given.weights), given.device)
    ratios = {
        f"{name} ÷ {theirs}": round(rate / rates[theirs], 2)
        for name, rate in rates.items()
        if name.startswith(DEFAULT)
        for theirs in PUBLISHED
    }
    found = {"machine": about, "side": SIDE, "mpx_per_second": rates, "ratios": ratios, "asked": ASKED}
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    sys.stdout.write(text)
    if given.to:
        given.to.mkdir(parents=True, exist_ok=True)
        (given.to / "network_rate.json").write_text(text, encoding="utf-8")
        draw(rates, given.to / "network_rate.png")


if __name__ == "__main__":
    main()
