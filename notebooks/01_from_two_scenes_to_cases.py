# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From two scenes to cases, step by step
#
# What `make demo` does in one breath, taken apart for an analyst: two real Sentinel-2 scenes of one square
# kilometer of forest in Romania, five years apart, become a change map, polygons, facts, verdicts and cases.
#
# The imagery is real (contains modified Copernicus Sentinel data 2015 and 2020). The parcels and permits are
# **drawn for this demonstration**: no open cadastre covers the place.

# %%
import os
import sys
from pathlib import Path

ROOT = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "pipeline.py").is_file())
os.chdir(ROOT)
sys.path.insert(0, str(ROOT))

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import rasterio
from rasterio.windows import Window

import pipeline
from cases.store import CaseFilter, open_store
from demo import picture, place, series
from detection import record
from imagery.catalog import open_scene
from imagery.pairing import make_pair
from imagery.reader import PairReader
from settings import load_settings

OUT = Path("data/notebook")

# %% [markdown]
# ## 1. The scenes
# The series has 140 dates. Two clear summer days are written as Cloud-Optimized GeoTIFFs, each with a STAC Item
# that names sensor, time, bands and the quality mask.

# %%
cube = series.cube(load_settings().cache)
print(len(series.days(cube)), "dates")
items = [series.write_scene(cube, day, OUT / "scenes") for day in ("2015-08-31", "2020-08-04")]
before, after = (open_scene(item) for item in items)
for scene in (before, after):
    bands = ", ".join(ref.name for ref in scene.bands)
    print(scene.id, scene.sensor, bands, "mask", scene.mask.name, f"{scene.grid.gsd_m:.0f} m", scene.grid.crs.to_string())

# %% [markdown]
# ## 2. One grid
# Scenes of different systems, pixel sizes and extents are put on one grid; these two share theirs already.
# A window is read as reflectance, with a code where nothing was seen.

# %%
pair = make_pair(before, after)
with PairReader(pair) as reader:
    block = reader.read(Window(0, 0, pair.grid.width, pair.grid.height))
print(pair.names, f"{pair.grid.gsd_m:.0f} m", "unseen pixels:", int((block.observation > 0).sum()))

figure, axes = plt.subplots(1, 2, figsize=(11, 5.5), layout="constrained")
for ax, values, scene in zip(axes, (block.before, block.after), (before, after), strict=True):
    color = values[[pair.names.index(name) for name in ("red", "green", "blue")]]
    low, high = np.percentile(color, (1, 99))
    ax.imshow(np.sqrt(np.clip((color - low) / (high - low), 0, 1)).transpose(1, 2, 0))
    ax.set_title(f"{scene.acquired_utc:%Y-%m-%d}")
    ax.set_axis_off()

# %% [markdown]
# ## 3. What changed
# IR-MAD finds the combinations of bands that should agree between the dates, and measures what disagrees. The
# threshold is found on the picture itself; the probability orders pixels, it is not calibrated against labels.

# %%
run = pipeline.detect(items[0], items[1], OUT, pipeline.DetectOptions())
with rasterio.open(OUT / "change.tif") as source:
    probability = source.read(1, masked=True) / 254

figure, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
shown = axes[0].imshow(probability, cmap="magma")
axes[0].set_axis_off()
axes[0].set_title("probability of change")
figure.colorbar(shown, ax=axes[0])
axes[1].hist(probability.compressed(), bins=64, log=True, color="#555555")
axes[1].set(xlabel="probability of change", ylabel="pixels", title=f"irmad, {run['learned']['rounds']} rounds")
run["counts"], run["seconds"]

# %% [markdown]
# ## 4. Polygons
# Groups of pixels over the threshold, sieved at four pixels, traced on cell edges, straightened, and measured on
# the ellipsoid. The long narrow part is told from the meadow beside it.

# %%
changes = gpd.read_file(OUT / "changes.gpkg", layer="changes")
changes.groupby("change_class")["area_m2"].agg(["count", "sum"]).round(0)

# %% [markdown]
# ## 5. Facts, rules, verdicts
# Four drawn layers, a rulebook of five rules. The first rule that holds decides; where a fact cannot be known the
# verdict is *doubt*, and says why. Nobody but a named person says "violation".

# %%
layers = place.draw(OUT / "layers")
judged = pipeline.judge_changes(
    OUT / "changes.gpkg", layers, str(OUT / "cases.db"), place.RULEBOOK, place.REGION
)
rows = judged.rows()
for verdict in sorted({row["verdict"] for row in rows}):
    example = next(row for row in rows if row["verdict"] == verdict)
    count = sum(row["verdict"] == verdict for row in rows)
    print(f"{verdict} ({count}), for example {example['change_id']} by rule {example['rule']}")
    print("   saw:    ", example["seen"])
    print("   missing:", example["missing"] or "nothing", "| a person brings:", example["proof"] or "nothing")

# %% [markdown]
# ## 6. Cases
# A case is opened for every suspected violation and every doubt. Run the cell again: nothing is added twice.

# %%
again = pipeline.judge_changes(
    OUT / "changes.gpkg", layers, str(OUT / "cases.db"), place.RULEBOOK, place.REGION
)
print("added by a second run:", again.added)
page = open_store(str(OUT / "cases.db")).cases(CaseFilter(verdict="suspected_violation"), limit=3)
for case in page.items:
    print(case.id, case.status, case.rule_id, f"{case.area_m2:.0f} m²")
print(page.total, "suspected violations")

# %%
verdicts = {change: str(judgement.verdict) for change, judgement in judged.judgements.items()}
picture.draw(pair, judged.changes, verdicts, OUT / "changes.png", record.made_by(run))
figure, ax = plt.subplots(figsize=(14, 6))
ax.imshow(plt.imread(OUT / "changes.png"))
ax.set_axis_off()
