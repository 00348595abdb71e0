"""Deep-feature change vectors: how far apart ImageNet features of both dates lie; nothing is taught for it.

After Saha, S. et al. (2019), "Unsupervised Deep Change Vector Analysis", IEEE TGRS 57(6): features of several levels
side by side, each of zero mean and unit spread over both dates, the length of the difference thresholded by Otsu.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from detection.learned import pick_device
from detection.threshold import otsu
from models.imagenet import MEAN, STD, imagenet_weights
from models.siamese import COARSEST, SiameseFpn

Float = NDArray[np.float32]

LEVELS = (0, 1)
"""Strides 4 and 8: deeper ones know objects of photographs, not of the ground."""
TINY = 1e-6


def deep_features(device: str) -> Callable[[Float, Float, float], Float]:
    """What maps two pictures (3 × rows × columns of 0 to 255) to a rank of change, a half at Otsu's threshold.

    Raises:
        BadInput: the ImageNet weights are not installed.
    """
    encoder: Any = SiameseFpn("lite0").encoder
    encoder.load_state_dict(imagenet_weights(encoder), strict=True)
    where = pick_device(device)
    encoder = encoder.eval().to(where)

    def look(before: Float, after: Float, gsd_m: float) -> Float:
        del gsd_m
        rows, columns = before.shape[1:]
        both = torch.from_numpy(np.stack((before[:3], after[:3]))).to(where)
        padded = functional.pad(both, (0, -columns % COARSEST, 0, -rows % COARSEST), mode="replicate")
        with torch.inference_mode():
            levels = list(encoder((padded - MEAN) / STD))
            apart = torch.zeros(1, 1, *padded.shape[2:], device=where)
            for level in (levels[k] for k in LEVELS):
                spread, middle = torch.std_mean(level, dim=(0, 2, 3), keepdim=True)
                unit = (level - middle) / (spread + TINY)
                squared = (unit[:1] - unit[1:]).square().mean(dim=1, keepdim=True)
                apart += functional.interpolate(squared, size=padded.shape[2:], mode="bilinear")
        length = apart[0, 0, :rows, :columns].sqrt().cpu().numpy().astype(np.float64)
        # A half where Otsu's threshold lies; where nothing differs, no threshold does.
        return np.asarray(np.clip(length / (2 * max(otsu(length), TINY)), 0, 1), dtype=np.float32)

    return look
