"""One window looked at: what a worker has to know, and the bytes that come of it.

The bands of a change map are uint8. Band 1: probability × 254; 255 (nodata) where nothing was seen, for unseen is
never "no change". Band 2: observation code, 0 seen, else the reason. Band 3, where the detector knows it: direction,
MIDDLE plus FULL / 2 × (building after less building before).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection.detectors import Detector, TellsDirection
from detection.light import lit
from detection.sample import Prepare
from imagery.align import Alignment
from imagery.harmonize import Light
from imagery.reader import Block, PairReader
from imagery.scene import Observation, ScenePair
from imagery.tiling import PaddedWindow

UNSEEN = 255
FULL = 254
"""The byte of probability 1."""
BANDS = ("change probability × 254", "observation code", "building after less before, 127 = the same")
MIDDLE = 127
"""The byte of a direction that goes neither way."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Look:
    """A fitted detector and what it needs to look at one window: all that a worker has to know."""

    detector: Detector
    prepare: Prepare
    light: Light | None = None
    """The later date is brought to it before all else."""

    @property
    def bands(self) -> int:
        """Bands of the change map."""
        return 3 if isinstance(self.detector, TellsDirection) else 2

    def at(self, padded: PaddedWindow, block: Block) -> Bytes:
        """The change map's bands within the window's inner part."""
        crop = padded.crop
        codes = block.observation[crop]
        planes = np.full((self.bands, *codes.shape), UNSEEN, dtype=np.uint8)
        planes[1] = codes
        if (codes != Observation.OBSERVED).all():
            return planes
        before, after = self.prepare(lit(block, self.light))
        if isinstance(self.detector, TellsDirection):
            probability, direction = self.detector.look(before, after, crop)
            planes[2] = direction_bytes(direction[crop], codes)
        else:
            probability = self.detector(before, after)
        planes[0] = to_bytes(probability[crop], codes)
        return planes


@dataclass(frozen=True)
class Job:
    """A pair and how to look at it; goes to other processes as it is."""

    pair: ScenePair
    look: Look
    as_bytes: bool
    alignment: Alignment | None = None

    def reader(self) -> PairReader:
        """The pair's files, to be opened."""
        return PairReader(self.pair, self.as_bytes, self.alignment)


def to_bytes(probability: NDArray[np.float32], observation: Bytes) -> Bytes:
    """Band 1 of a change map."""
    coded = np.rint(probability * FULL).astype(np.uint8)
    coded[observation != Observation.OBSERVED] = UNSEEN
    return coded


def direction_bytes(direction: NDArray[np.float32], observation: Bytes) -> Bytes:
    """Band 3 of a change map: 0 disappeared, MIDDLE neither, FULL appeared."""
    coded = np.rint((direction + 1) * MIDDLE).astype(np.uint8)
    coded[observation != Observation.OBSERVED] = UNSEEN
    return coded


def threshold_byte(probability: float) -> int:
    """The smallest byte whose probability reaches a threshold."""
    return int(np.ceil(probability * FULL))
