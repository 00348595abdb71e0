"""Who sees the later date in the earlier one's light, and what run.json says of it; decision 0013 says why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from imagery.harmonize import Harmonization, Light
from imagery.reader import Block
from imagery.scene import Observation

VEGETATION = "vegetation classes"
NO_CLASSES = "without red and near-infrared there are no vegetation classes"


@dataclass(frozen=True, eq=False)
class Lights:
    """What the detector and what the vegetation classes bring the later date to; None: they see it as it is."""

    detector: Light | None
    classes: Light | None
    report: dict[str, Any]


def lights(found: Harmonization, names: Sequence[str], detector: str, own_light: str | None) -> Lights:
    """Applied where it helps. `names`: bands of the pair; `own_light`: why the detector does without, if it does."""
    used = [detector] if own_light is None else []
    if {"red", "nir"} <= set(names):
        used.append(VEGETATION)
    applied = used if found.light is not None else []
    why = found.report["why"]
    if found.light is not None:
        reasons = [own_light] if own_light else []
        reasons += [] if VEGETATION in used else [NO_CLASSES]
        seen_by = f"{why} It is seen so by: {', '.join(used)}" if used else "Measured, but of no use here"
        why = "; ".join([seen_by, *reasons]) + "."
    report = {"applied": bool(applied), "applied_to": applied, "why": why}
    return Lights(
        found.light if detector in applied else None,
        found.light if VEGETATION in applied else None,
        found.report | report,
    )


def lit(block: Block, light: Light | None) -> Block:
    """The block with its later date in that light; what was not seen is 0, as it was."""
    if light is None:
        return block
    after = light.of(block.after)
    after[:, block.observation != Observation.OBSERVED] = 0
    return replace(block, after=after)
