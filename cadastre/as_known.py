"""A layer read from a file as a vintage of the registry is: what was known of it at a moment, and of which days."""

from datetime import datetime

import numpy as np
import pandas as pd

from cadastre.layers import LayerData, State

NO_DAY = (
    "is a map, and layers.toml does not say the day whose state it shows; set `state_of` there, or import its vintages "
    "into the registry"
)


def as_known(data: LayerData, as_of: datetime) -> LayerData:
    """Without entries known only later; a map holds from its `state_of` on, and without one says nothing."""
    known = data.frame["known_from"].astype("datetime64[s]")
    day = pd.Timestamp(as_of.date())
    frame = data.frame
    if (known > day).any():
        frame = frame[(known.isna() | (known <= day)).to_numpy()].reset_index(drop=True)
    layer = data.layer
    if layer.kind != "map":
        return data.model_copy(update={"frame": frame})
    if layer.state_of is None:
        return data.model_copy(update={"frame": frame, "silence": NO_DAY})
    begins = np.full(len(frame), np.datetime64(layer.state_of, "s"))
    frame = frame.assign(valid_from=begins)
    states = (State(layer.state_of, None, data.covers),)
    return data.model_copy(update={"frame": frame, "covers": None, "states": states})
