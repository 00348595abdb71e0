"""Whether a case is to be handed to the police: advice from the areas that were measured; a person decides."""

from collections.abc import Mapping
from typing import Any

from cases.workflow import Transfer

DUE, NOT_DUE, UNKNOWN = "due", "not due", "unknown"
BASIC = "basic_farmland_m2"


def advice(
    facts: Mapping[str, Any], land: Mapping[str, Any] | None, rule: Transfer | None
) -> dict[str, str] | None:
    """`said`: due, not due or unknown; `why`, with the areas in m² and the source. None where no rule is written.

    `land`: the area ledger of the judgement (see `cases.measuring.land_of`), whose basic farmland counts before the
    fact of the same name.
    """
    if rule is None:
        return None
    classes = (land or {}).get("class_m2")
    basic = (land or {}).get("basic_m2")
    basic = facts.get(BASIC) if basic is None else basic
    tilled = None
    if classes is not None:
        tilled = sum(m2 for code, m2 in classes.items() if code.startswith(tuple(rule.cultivated)))
    other = None if tilled is None or basic is None else max(tilled - basic, 0.0)
    reasons = [
        f"{what} {m2:.0f} m², the line is {line:.0f} m²"
        for what, m2, line in (
            ("basic farmland", basic, rule.basic_farmland_m2),
            ("other cultivated land", other, rule.other_cultivated_m2),
        )
        if m2 is not None and m2 >= line
    ]  # fmt: skip
    if reasons:
        return {"said": DUE, "why": f"{'; '.join(reasons)} ({rule.source})"}
    unknown = [
        what for what, m2 in (("basic farmland", basic), ("other cultivated land", other)) if m2 is None
    ]
    # All of it may be basic farmland or none: what is too small altogether is too small either way.
    if unknown and not (
        tilled is not None and tilled < min(rule.basic_farmland_m2, rule.other_cultivated_m2)
    ):
        return {"said": UNKNOWN, "why": f"the area of {' and '.join(unknown)} is not known ({rule.source})"}
    return {"said": NOT_DUE, "why": f"below both lines ({rule.source})"}
