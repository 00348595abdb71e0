"""Whether what somebody asks for can be: a misspelt word must not look like "there is none"."""

from cases.rules import Verdict
from cases.workflow import load_workflow
from ground.errors import BadInput


def refuse_unknown(found: int, status: str | None = None, verdict: str | None = None) -> None:
    """Nothing, where something was found, or the words are known.

    Raises:
        BadInput: nothing was found, for there is no such status or verdict. A status that workflow.toml knew once is
            found with the cases that stand there.
    """
    if found:
        return
    for option, word, known in (
        ("--status", status, load_workflow().statuses),
        ("--verdict", verdict, [str(each) for each in Verdict]),
    ):
        if word is not None and word not in known:
            raise BadInput(f"{option}: {word!r} is unknown; use one of {', '.join(known)}")
