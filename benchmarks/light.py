"""What decision 0013 says of light: `python benchmarks/light.py DATA` prints each figure; DATA holds the real pairs."""

import argparse
import itertools
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from detection.evaluate import yardstick  # noqa: E402
from detection.greenness import CLEAR_DIFFERENCE, ndvi  # noqa: E402
from imagery import harmonize  # noqa: E402
from imagery.labeled import LabeledPairs  # noqa: E402
from models.metrics import count, f1  # noqa: E402

PIXELS = 50_000
METHODS = {"canonical alone": (30, 1), "trimmed alone": (1, 30), "both": (30, 30)}
"""Rounds of canonical correlation, and of lines."""


def world(bands: int, changed: float, how: str, noise: float, seed: int) -> tuple[Any, ...]:
    """(before, after, gain, bias): before = gain × after + bias where nothing changed; noise in parts of a spread."""
    random = np.random.default_rng(seed)
    colors = random.uniform(0.1, 0.9, (8, 1)) * random.uniform(0.6, 1.4, (1, bands))
    colors += random.normal(0, 0.08, colors.shape)
    ground = colors[random.integers(0, 8, PIXELS)].T + random.normal(0, 0.05, (1, PIXELS))
    ground += random.normal(0, 0.02, ground.shape)
    mask = random.random(PIXELS) < changed
    later = ground.copy()
    if how == "other":
        later[:, mask] = ground[:, random.permutation(PIXELS)[: mask.sum()]]
    elif how == "built":
        later[:, mask] = 1.2 * colors.max(axis=0)[:, None] + random.normal(0, 0.03, (bands, mask.sum()))
    else:
        later[:, mask] *= 0.6
    gain, bias = random.uniform(0.6, 1.6, bands), random.uniform(-0.2, 0.2, bands)
    ground, later = (
        d + noise * ground.std(1)[:, None] * random.normal(size=d.shape) for d in (ground, later)
    )
    return gain[:, None] * ground + bias[:, None], later, gain, bias


def methods() -> None:
    """Worst error of the lines over changed ground and seeds, in parts of the earlier date's spread."""
    for noise, bands in itertools.product((0.03, 0.15), (1, 3, 4, 6)):
        worst = dict.fromkeys(METHODS, 0.0)
        cases = itertools.product(("other", "built", "darker"), (0.05, 0.2, 0.4), range(3))
        for how, changed, seed in cases:
            before, after, gain, bias = world(bands, changed, how, noise, seed)
            for name, rounds in METHODS.items():
                harmonize.BEGIN_ROUNDS, harmonize.ROUNDS = rounds
                told = harmonize.measure(before, after, [str(k) for k in range(bands)]).report["bands"]
                off = np.array([b["gain"] for b in told])[:, None] * after
                off += np.array([b["bias"] for b in told])[:, None] - gain[:, None] * after - bias[:, None]
                error = np.sqrt((off**2).mean(1)) / before.std(1)
                worst[name] = max(worst[name], float(error.max()))
        say(f"noise {noise}, {bands} bands, 5 to 40 % changed: worst error", **worst)


def unrelated(data: Path) -> None:
    """How many of the 45 couples of unrelated French places are believed to show one place in two lights."""
    flat = [pair.before.reshape(3, -1) for pair in LabeledPairs(data / "pairs-fotbcd")]
    for bands in (1, 3):
        known = [
            harmonize.measure(a[:bands], b[:bands], "rgb"[:bands]).report["known"]
            for a, b in itertools.combinations(flat, 2)
        ]
        say(f"unrelated places, {bands} bands: believed of {len(known)}", believed=sum(known))


def buildings(data: Path, detector: str) -> None:
    """F1 on the French pairs, as they are and with the later one made darker: as given, and in one light."""
    ready, pairs = yardstick(detector, None, "cpu", None, None), LabeledPairs(data / "pairs-fotbcd")
    for light in (1.0, 0.7):
        totals: dict[tuple[str, str], Any] = {}
        for pair in pairs:
            after = np.rint(pair.after * np.float32(light))
            found = harmonize.measure(pair.before.reshape(3, -1), after.reshape(3, -1), "rgb").light
            one = after if found is None else np.clip(np.rint(found.of(after)), 0, 255)
            for how, date in (("as given", after), ("one light", one)):
                gsd_m = pair.gsd_m or 0.2
                said = ready.look(pair.before, date.astype(np.float32), gsd_m)
                here = count(said, pair.label, pair.known, ready.threshold(gsd_m), pair.gsd_m)
                for group in ("all", pair.name.split("_")[0]):
                    totals[how, group] = totals[how, group] + here if (how, group) in totals else here
        for how in ("as given", "one light"):
            say(
                f"{detector}, later × {light}, {how}: F1",
                **{g: f1(c) for (h, g), c in totals.items() if h == how},
            )


def vegetation(data: Path) -> None:
    """Share of labeled pixels of Taizhou called loss or gain; lines from one half of the rows, shares of the other."""
    before, after, label = (read(data / "pair-taizhou" / name) for name in ("t1.tif", "t2.tif", "label.tif"))
    rows = np.arange(before.shape[1]) < before.shape[1] // 2
    for where, fit in (("lower", rows), ("upper", ~rows)):
        found = harmonize.measure(*(d[:, fit].reshape(len(d), -1) for d in (before, after)), "123456")
        for how, date in (
            ("as given", after),
            ("one light", found.light.of(after) if found.light else after),
        ):
            change = ndvi(date[2], date[3]) - ndvi(before[2], before[3])
            called = np.abs(change - np.median(change[~fit])) >= CLEAR_DIFFERENCE
            shares = {
                n: float(called[~fit][label[0, ~fit] == v].mean())
                for n, v in (("unchanged", 0), ("changed", 1))
            }
            say(f"Taizhou, {where} half, {how}: called vegetation change", **shares)


def landsat(data: Path) -> None:
    """F1 of the spectral detectors on Taizhou, as given and in one light."""
    before, after, label = (read(data / "pair-taizhou" / name) for name in ("t1.tif", "t2.tif", "label.tif"))
    light = harmonize.measure(before.reshape(6, -1), after.reshape(6, -1), "123456").light
    for detector in ("irmad", "cva"):
        ready, shown = yardstick(detector, None, "cpu", None, None), {}
        for how, date in (("as given", after), ("in one light", light.of(after) if light else after)):
            said = ready.look(before, date, 30.0)
            shown[how] = f1(count(said, label[0] == 1, label[0] != 255, ready.threshold(30.0), 30.0))
        say(f"Taizhou, {detector}: light {'found' if light else 'unknown'}, F1", **shown)


def cost() -> None:
    """Seconds for a full sample of three bands."""
    before, after, *_ = world(3, 0.1, "built", 0.1, 0)
    sample = [np.tile(date, 6)[:, : 1 << 18].astype(np.float32) for date in (before, after)]
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        harmonize.measure(*sample, "rgb")
        taken.append(time.perf_counter() - start)
    say("seconds", least=min(taken), most=max(taken))


def read(path: Path) -> Any:
    """All bands as float32."""
    with rasterio.open(path) as source:
        return source.read().astype(np.float32)


def say(what: str, **figures: float) -> None:
    """One line."""
    sys.stdout.write(f"{what} " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("data", type=Path)
    given = words.parse_args()
    cost()
    vegetation(given.data)
    landsat(given.data)
    unrelated(given.data)
    for one in ("model", "cva", "irmad"):
        buildings(given.data, one)
    methods()
