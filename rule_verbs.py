"""The verbs of those who write and read law: rules check, explain, whatif."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import terminal
from law import DEFAULT, pack_of, rulebooks_of
from settings import load_settings

if TYPE_CHECKING:
    from cases.explain import Step
    from cases.store import CaseStore

rules_app = typer.Typer(no_args_is_help=True, help="Rules: check, explain, whatif.")

Db = Annotated[str | None, typer.Option("--db", help="Database: a file or an SQLAlchemy URL.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@rules_app.command("check")
def rules_check(
    pack: Annotated[str, typer.Argument(help="A pack (cn, br), or a file or folder of rulebooks.")] = DEFAULT,
    layers: Annotated[
        Path | None, typer.Option("--layers", help="layers.toml (default: the pack's own).")
    ] = None,
    json: Json = False,
) -> None:
    """Rules that never fire or hide others, facts that nothing measures, golden situations; exit code 2 on errors."""
    from cases.check import check

    folder = pack_of(pack)
    is_pack = (folder / "rulebook").is_dir()
    own = folder / "layers.toml"
    checked = check(
        rulebooks_of(pack),
        layers or (own if is_pack and own.is_file() else None),
        folder if is_pack else None,
    )
    errors, warnings = checked.texts(errors=True), checked.texts(errors=False)
    if json:
        books = [
            {
                "title": b.title,
                "effective_from": str(b.effective_from),
                "rules": len(b.rules),
                "version": b.version,
            }
            for b in checked.books
        ]
        terminal.print_json({"books": books, "errors": errors, "warnings": warnings})
    else:
        for book in checked.books:
            terminal.say(f"{book.title}, from {book.effective_from}: {len(book.rules)} rules, {book.version}")
        for kind, texts in (("error", errors), ("warning", warnings)):
            for text in texts:
                terminal.say(f"{kind}: {text}")
        terminal.say(f"{len(errors)} errors, {len(warnings)} warnings")
    if errors:
        raise typer.Exit(2)


@rules_app.command("explain")
def rules_explain(
    change: Annotated[str, typer.Argument(help="Id of a change, as in `cases show`.")],
    db: Db = None,
    rules: Annotated[
        str, typer.Option("--rules", help="Pack or path, where its own book is not stored.")
    ] = DEFAULT,
    json: Json = False,
) -> None:
    """Why a change got its verdict: every rule, what it asked, what it got, and what would settle a doubt."""
    from cases.explain import explain
    from cases.rules import load_rulebooks

    told = explain(_store(db), change, load_rulebooks(rulebooks_of(rules)))
    if json:
        terminal.print_json(asdict(told))
        return
    terminal.show(
        _walked(told.steps), f"{change}: {told.verdict} by {told.rule}. {told.title} ({told.rulebook})", False
    )
    if told.former:
        before = told.former
        headline = f"{before.title}, until {before.until}: {before.verdict} by {before.rule}"
        terminal.show(_walked(before.steps), headline, False)
    terminal.say(f"Basis: {told.basis or 'none'}")
    for name, why in told.missing.items():
        terminal.say(f"Missing: {name}: {why}")
    for proof in told.settles:
        terminal.say(f"Would settle it: {proof['text']} (about {proof['minutes']:g} minutes)")
    if told.proof and not told.settles:
        terminal.say(f"Proof to bring: {told.proof}")
    if not told.from_store:
        terminal.say("Its own rulebook is not stored; this is the one of --rules.")
    if told.says_now:
        terminal.say(f"Note: this book alone says {told.says_now} of the same facts.")


def _store(db: str | None) -> "CaseStore":
    """What this installation's region (TIANKAN_REGION) sees."""
    from cases.store import open_store

    settings = load_settings()
    return open_store(db or settings.db, create=False, region=settings.region)


def _walked(steps: "list[Step]") -> list[dict[str, str]]:
    return [
        {
            "rule": ("→ " if step.is_deciding else "") + step.rule, "verdict": step.verdict, "state": step.state,
            "asked": "\n".join(
                f"{a.fact} {a.asked}: {a.answer} ({a.why or a.value})" for a in step.asked
            ) or "always",
        }
        for step in steps
    ]  # fmt: skip


@rules_app.command("whatif")
def rules_whatif(
    rulebook: Annotated[str, typer.Argument(help="A pack, or a file or folder of rulebooks.")],
    db: Db = None,
    json: Json = False,
) -> None:
    """Which changes would get another verdict under RULEBOOK, and how many 亩; nothing is written."""
    from cases.rules import load_rulebooks
    from cases.whatif import what_if

    told = what_if(_store(db), load_rulebooks(rulebooks_of(rulebook)))
    if json:
        terminal.print_json(asdict(told))
        return
    terminal.show(told.flows, f"{told.changes} changes under {rulebook}", False)
    lines = [asdict(turn) for turn in told.turns[: terminal.MOST_LINES]]
    more = len(told.turns) - len(lines)
    terminal.show(lines, "Other verdicts, the largest first", False, f"{more} more: --json." if more else "")
    before, after = told.persons
    terminal.say(
        f"{len(told.turns)} of {told.changes} changes would get another verdict: "
        f"{told.turned_mu:,.2f} 亩, {told.turned_m2:,.2f} m²."
    )
    terminal.say(f"A person must look at {after} changes, {before} as it is.")
    for fact, count in told.never_measured.items():
        terminal.say(
            f"Never measured: {fact}, for {count} changes; judge again with a layer that measures it"
        )
