"""Why facts are unknown, as a judgement keeps it beside them, in few bytes: {reason: [facts or layers]}.

A reason that holds for all that is unknown of a layer is kept with `*` for the layer's name, once for all such layers.
What tells itself is not kept: that a change does not bring a fact along, that no rule asked for a width.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cadastre.facts import NOT_BROUGHT, Facts
from cases.measuring import NOT_ASKED, WIDTHS

Kept = Mapping[str, Any]
OF_LAYER = re.compile(r"layer (\w+)(?=[ :])")
ANY = "layer *"
TOLD = NOT_BROUGHT | dict.fromkeys(WIDTHS, NOT_ASKED)
"""Reasons that need no keeping."""


def kept(facts: Facts) -> dict[str, list[str]] | None:
    """To the database; None where nothing is unknown but what tells itself."""
    return _kept(tuple(facts.why.items()))


@lru_cache(maxsize=4096)
def _kept(why: tuple[tuple[str, str], ...]) -> dict[str, list[str]] | None:
    """The same reasons recur from change to change."""
    of_layer: dict[str, dict[str, list[str]]] = {}
    found: dict[str, list[str]] = {}
    for name, reason in why:
        named = OF_LAYER.match(reason)
        if named and name.startswith(f"{named[1]}_"):
            of_layer.setdefault(named[1], {}).setdefault(reason, []).append(name)
        elif reason != TOLD.get(name):
            found.setdefault(reason, []).append(name)
    for layer, reasons in of_layer.items():
        if len(reasons) == 1:
            (reason,) = reasons
            found.setdefault(OF_LAYER.sub(ANY, reason, count=1), []).append(layer)
        else:
            found |= reasons
    return found or None


def facts_of(values: dict[str, Any], why: Kept | None, missing: Kept) -> Facts:
    """From the database. `missing`, what a doubt lacked, says more where an older Tiankan kept no reasons."""
    reasons = {name: told for name, told in TOLD.items() if name in values and values[name] is None} | {
        **missing
    }
    layers: dict[str, str] = {}
    for reason, names in (why or {}).items():
        if reason.startswith(ANY):
            layers |= {name: reason.replace("*", name, 1) for name in names}
        else:
            reasons |= dict.fromkeys(names, reason)
    for name in (name for name, value in values.items() if value is None and name not in reasons):
        own = max((layer for layer in layers if name.startswith(f"{layer}_")), key=len, default=None)
        if own is not None:
            reasons[name] = layers[own]
    return Facts(values, reasons)
