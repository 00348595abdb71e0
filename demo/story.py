"""The demonstration, step by step: fetch, write two scenes, draw the cadastre, run the pipeline, paint the result."""

from pathlib import Path
from typing import Any

import pipeline
from demo import picture, place, series
from detection import record
from detection.detect import Advance
from imagery.catalog import open_scene
from imagery.pairing import make_pair

BEFORE, AFTER = "2015-08-31", "2020-08-04"


def tell(out: Path, cache: Path, advance: Advance) -> tuple[dict[str, Any], pipeline.Judged, Path]:
    """Everything into `out`: scenes/, layers/, change.tif, changes.gpkg, run.json, cases.db, changes.png.

    Raises:
        Unreachable: the imagery is not in the cache and the package registry does not answer.
    """
    cube = series.cube(cache)
    before, after = (series.write_scene(cube, day, out / "scenes") for day in (BEFORE, AFTER))
    layers = place.draw(out / "layers")
    made, judged = pipeline.run(
        before,
        after,
        layers,
        f"sqlite:///{out / 'cases.db'}",
        out,
        pipeline.DetectOptions(),
        place.RULEBOOK,
        place.REGION,
        advance,
    )
    verdicts = {change: str(judgement.verdict) for change, judgement in judged.judgements.items()}
    target = out / "changes.png"
    picture.draw(
        make_pair(open_scene(before), open_scene(after)),
        judged.changes,
        verdicts,
        target,
        record.made_by(made),
    )
    return made, judged, target
