"""The verbs of those who teach and measure: train, evaluate, models list, models show."""

from pathlib import Path
from typing import Annotated

import typer

import terminal
from ground.errors import BadInput

models_app = typer.Typer(no_args_is_help=True, help="Weights: list, show.")

Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Weights = Annotated[str | None, typer.Option("--weights", help="Shipped name or file of weights.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@models_app.command("list")
def models_list(json: Json = False) -> None:
    """The weights that come with the software."""
    from models.checkpoint import find, read_card, shipped

    rows = []
    for name in shipped():
        card = read_card(find(name))
        rows.append(
            {
                "name": name, "encoder": card.encoder, "bands": ", ".join(card.bands),
                "gsd_m": f"{card.gsd_m[0]}–{card.gsd_m[1]}", "classes": ", ".join(card.classes),
                "scores": "; ".join(f"{s.set} {s.metric} {s.value:.3f}" for s in card.scores),
            }
        )  # fmt: skip
    terminal.show(rows, "Weights", json)


@models_app.command("show")
def models_show(name: str, json: Json = False) -> None:
    """The card of weights: what they are for, what they saw, what they score."""
    from models.checkpoint import find, read_card

    card = read_card(find(name)).model_dump(mode="json")
    if json:
        terminal.print_json(card)
        return
    terminal.show([{"what": key, "value": str(value)} for key, value in card.items()], name, False)


def evaluate(
    folder: Annotated[Path, typer.Argument(help="Folder with before/, after/ and label/.")],
    detector: Annotated[str, typer.Option("--detector", help="model, difference, irmad or cva.")] = "model",
    weights: Weights = None,
    device: Device = "auto",
    gsd: Annotated[
        float | None, typer.Option("--gsd", min=0.01, help="Metres a pixel, where the files do not say.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--json", help="Write the whole report here.")] = None,
) -> None:
    """How good a detector is on labeled pairs: by pixel, by object, per km², with intervals and under stress."""
    from detection.evaluate import evaluate as measure
    from detection.evaluate import write_report

    with terminal.progress() as advance:
        report = measure(folder, detector, weights, device, gsd, advance)
    if to is not None:
        write_report(report, to)
    low, high = report["f1_interval_95"]
    rows = [{"figure": key, "value": _short(value)} for key, value in report["all"].items()]
    rows.insert(3, {"figure": "f1, 95 % of resamples", "value": f"{low:.3f} … {high:.3f}"})
    rows += [{"figure": key, "value": _short(value)} for key, value in report["stress"].items()]
    terminal.show(rows, f"{report['detector']} on {report['pairs']} pairs of {folder}", False)


def _short(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def train(
    root: Annotated[Path, typer.Argument(help="Folder that the training-data file's paths begin in.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for weights, card and log.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Training-data file (default: models/open_data.toml).")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Name of the weights.")] = "mine",
    encoder: Annotated[str, typer.Option("--encoder", help="lite0 or hgnetv2.")] = "lite0",
    steps: Annotated[int, typer.Option("--steps", min=1, help="Optimizer steps.")] = 4000,
    batch: Annotated[int, typer.Option("--batch", min=2, help="Pairs a step.")] = 10,
    side: Annotated[int, typer.Option("--side", min=64, help="Pixels along a chip; a multiple of 32.")] = 160,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed, the same chips.")] = 0,
    from_nothing: Annotated[
        bool, typer.Option("--from-nothing", help="Do not start from ImageNet weights.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Teach a network on your data; an interrupted run in the same folder goes on where it stopped."""
    from detection.learned import pick_device
    from models.siamese import COARSEST, ENCODERS
    from models.train import Recipe, learn

    if encoder not in ENCODERS:
        raise BadInput(f"--encoder: {encoder!r} is unknown; use {' or '.join(ENCODERS)}")
    if side % COARSEST:
        raise BadInput(f"--side: {side} is not a multiple of {COARSEST}; use {side // COARSEST * COARSEST}")
    recipe = Recipe(
        encoder=encoder,
        steps=steps,
        batch=batch,
        side=side,
        seed=seed,
        imagenet=encoder == "lite0" and not from_nothing,
    )
    with terminal.progress() as advance:
        card = learn(data, root, recipe, out, name, pick_device(device), advance)
    terminal.say(f"Weights: {out / (name + '.safetensors')}")
    terminal.say(f"Held-out loss: {card.training['held_out']}")
