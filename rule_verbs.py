"""The verbs of those who write and read law: rules check, explain, whatif."""

from pathlib import Path
from typing import Annotated

import typer

import terminal
from law import DEFAULT, pack_of, rulebooks_of

rules_app = typer.Typer(no_args_is_help=True, help="Rules: check, explain, whatif.")

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
