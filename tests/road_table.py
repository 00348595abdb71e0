"""The table of the road in docs/cases.md: `python -m tests.road_table` writes it from workflow.toml and words.toml."""

from pathlib import Path

from cases.workflow import REPLACED, Move, Workflow, load_workflow
from reports.words import Language, Words

PAGE = Path(__file__).parent.parent / "docs" / "cases.md"
FIRST = "<!-- the road: python -m tests.road_table -->"
LAST = "<!-- end of the road -->"


def table_of(road: Workflow) -> str:
    """A row for each way to each status, in the order of the file: from where, by whom, with what in hand."""
    rows = [
        f"| {_named(road.start[verdict])} | – | machine | verdict `{verdict}` |" for verdict in road.start
    ]
    for status in dict.fromkeys(move.to for move in road.moves):
        ways = [move for move in road.moves if move.to == status]
        rows += [
            f"| {_named(status)} | {', '.join(move.origins)} | {', '.join(move.roles)} | {_with(move, road)} |"
            for move in ways
        ]
    for status, said in zip(REPLACED, (road.split, road.merge), strict=True):
        rows.append(
            f"| {_named(status)} | {', '.join(said.origins)} | {', '.join(said.roles)} | [splits.md](splits.md) |"
        )
    return "\n".join(["| to | from | by | with |", "|--|--|--|--|", *rows])


def _named(status: str) -> str:
    return f"`{status}` {Words(Language.ZH).of('status', status)}"


def _with(move: Move, road: Workflow) -> str:
    said = [f"**{need}**" if need in road.fresh else need for need in move.needs]
    if move.wait:
        said.append(f"clock `{move.wait.clock}` run out{''.join(f' or {kind}' for kind in move.wait.unless)}")
    if move.clears:
        said.append(f"no longer in hand: {' '.join(move.clears)}")
    return ", ".join(said) or "–"


def wanted(page: str, road: Workflow) -> str:
    """The page with the table as it should be."""
    before, _, rest = page.partition(FIRST)
    _, _, after = rest.partition(LAST)
    return f"{before}{FIRST}\n{table_of(road)}\n{LAST}{after}"


if __name__ == "__main__":
    PAGE.write_text(wanted(PAGE.read_text(encoding="utf-8"), load_workflow()), encoding="utf-8")
