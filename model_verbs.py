"""The verbs of those who teach and measure: train, evaluate, models list, models show."""

from pathlib import Path
from typing import Annotated, Any

import typer

import terminal
from ground.errors import BadInput

models_app = typer.Typer(no_args_is_help=True, help="Weights: list, show.")

Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Weights = Annotated[str | None, typer.Option("--weights", help="Shipped name or file of weights.")]
Root = Annotated[Path, typer.Argument(help="Folder that the training-data file's paths begin in.")]
Data = Annotated[
    Path | None, typer.Option("--data", help="Training-data file (default: models/open_data.toml).")
]
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
                "pixel F1": "; ".join(_f1_by_set(card)),
            }
        )  # fmt: skip
    terminal.show(rows, "Weights", json)


def _f1_by_set(card: Any) -> list[str]:
    """One line a set: the mean over seeds, and the seeds' range."""
    sets: dict[str, list[float]] = {}
    for one in card.scores:
        if one.metric == "pixel F1":
            sets.setdefault(one.set, []).append(one.value)
    return [
        f"{name}: {sum(each) / len(each):.2f} ({min(each):.2f}–{max(each):.2f}, {len(each)} seeds)"
        for name, each in sets.items()
    ]


@models_app.command("show")
def models_show(name: str, json: Json = False) -> None:
    """The card of weights: what they are for, what they saw, what they score."""
    from models.checkpoint import find, read_card

    card = read_card(find(name))
    if json:
        terminal.print_json(card.model_dump(mode="json"))
        return
    plain = card.model_dump(mode="json", exclude={"trained_on", "scores", "operating", "training"})
    plain |= {key: value for key, value in card.training.items() if key != "recipe"}
    terminal.show([{"what": key, "value": str(value)} for key, value in plain.items()], card.name, False)
    seen = [{"set": s.name, "images": s.images, "license": s.license} for s in card.trained_on]
    terminal.show(seen, "Trained on", False)
    if card.operating:
        terminal.show(_ranges(card), "Calibrated", False)
    figures = [
        {
            "set": s.set, "metric": s.metric, "value": s.value, "seed": s.seed, "pairs": s.pairs,
            "95 %": "" if s.low is None else f"{s.low:.2f} … {s.high:.2f}",
        }
        for s in card.scores
    ]  # fmt: skip
    if figures:
        terminal.show(figures, "Figures", False)


def _ranges(card: Any) -> list[dict[str, Any]]:
    """A row for each range of working pixel sizes."""
    return [
        {
            "gsd_m": f"{one.gsd_m[0]}–{one.gsd_m[1]}", "temperature": one.temperature, "bias": one.bias,
            "threshold": one.threshold, "ece": one.ece, "false clues ≤ 20 %": _first(one.false_clues, 0.2),
            "≤ 10 %": _first(one.false_clues, 0.1), "≤ 5 %": _first(one.false_clues, 0.05),
            "measured on": one.measured_on,
        }
        for one in card.operating
    ]  # fmt: skip


@models_app.command("export")
def models_export(
    name: Annotated[str, typer.Argument(help="Shipped name or file of weights.")],
    to: Annotated[Path, typer.Option("--to", help="Folder for the files.")],
    gsd: Annotated[
        float, typer.Option("--gsd", min=0.01, help="Pixel size whose calibration goes in.")
    ] = 0.5,
) -> None:
    """ONNX (two pictures; six channels for QGIS Deepness), torch.export and a STAC MLM Item, each checked."""
    from models.checkpoint import find, load
    from models.export import export

    network, card = load(find(name))
    finest, coarsest = card.work_gsd_m
    if gsd is None:
        gsd = min(max(0.5, finest), coarsest)
    if not finest <= gsd <= coarsest:
        raise BadInput(f"--gsd: {gsd} m is outside the working pixel sizes of {name}, {card.work_gsd_m}")
    differences = export(network, card, gsd, to)
    rows = [{"file": str(to / file), "largest difference": f"{off:.1e}"} for file, off in differences.items()]
    terminal.show(rows, f"{card.name}: exported", False)


@models_app.command("calibrate")
def models_calibrate(
    name: Annotated[str, typer.Argument(help="Shipped name or file of weights; its card is rewritten.")],
    root: Root,
    data: Data = None,
    pairs: Annotated[
        int, typer.Option("--pairs", min=20, help="Held-out pairs for each range of sizes.")
    ] = 200,
) -> None:
    """Make the probability honest on held-out ground; measure thresholds against false clues."""
    from models.calibrate import calibrate
    from models.checkpoint import find, load, write_card
    from models.learn import OPEN_DATA
    from models.training_data import read_training_scenes

    weights, file = find(name), data or OPEN_DATA
    network, card = load(weights)
    kept = read_training_scenes(file, root)[1]
    if not kept:
        raise BadInput(f"{file}: holds nothing out; name places in held_out, which the weights did not see")
    with terminal.progress() as advance:
        measured_on = f"{pairs} pairs made of {len(kept)} held-out places of {file.name}"
        done = calibrate(network, card, kept, pairs, measured_on, advance)
    write_card(done, weights)
    terminal.show(_ranges(done), f"{done.name}: calibrated", False)


def _first(bounds: tuple[tuple[float, float], ...], most: float) -> str:
    reached = [threshold for threshold, bound in bounds if bound <= most]
    return f"from {min(reached):.3f}" if reached else "none"


def evaluate(
    folder: Annotated[Path, typer.Argument(help="Folder with before/, after/ and label/.")],
    detector: Annotated[
        str, typer.Option("--detector", help="model, difference, features, irmad, cva, or all of them.")
    ] = "model",
    weights: Weights = None,
    device: Device = "auto",
    gsd: Annotated[
        float | None, typer.Option("--gsd", min=0.01, help="Metres a pixel, where the files do not say.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", min=0, max=1, help="Instead of the detector's own.")
    ] = None,
    max_false_clues: Annotated[
        float | None,
        typer.Option("--max-false-clues", help="Share of clues that may be false; see models show."),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option("--sheet", help="Write a picture of the best and the worst pairs here (PNG)."),
    ] = None,
    to: Annotated[Path | None, typer.Option("--json", help="Write the whole report here.")] = None,
) -> None:
    """How good a detector is on labeled pairs: by pixel, by object, per km², with intervals and under stress."""
    from detection.evaluate import EVERY, evaluate_every, write_report
    from detection.evaluate import evaluate as measure

    with terminal.progress() as advance:
        if detector == EVERY:
            report = evaluate_every(folder, weights, device, gsd, advance)
        else:
            report = measure(
                folder, detector, weights, device, gsd, advance,
                most_false=max_false_clues, threshold=threshold, sheet=sheet,
            )  # fmt: skip
    if to is not None:
        write_report(report, to)
    for line in _cautions(report):
        terminal.say(line)
    if detector == EVERY:
        terminal.show(
            [_row(one) for one in report["detectors"]], f"{report['pairs']} pairs of {folder}", False
        )
        return
    low, high = report["f1_interval_95"]
    rows = [{"figure": key, "value": _short(value)} for key, value in report["all"].items()]
    rows.insert(3, {"figure": "f1, 95 % of resamples", "value": f"{low:.3f} … {high:.3f}"})
    rows.append({"figure": "false clues a pair", "value": _short(report["false_clues_a_pair"])})
    rows += [{"figure": key, "value": _short(value)} for key, value in report["stress"].items()]
    terminal.show(rows, f"{report['detector']} on {report['pairs']} pairs of {folder}", False)


def _cautions(report: dict[str, Any]) -> list[str]:
    """What a reader of the figures must know before them."""
    said = []
    one = report["detectors"][0] if "detectors" in report else report
    if one["gsd_taken_for_unknown"]:
        said.append(
            f"{one['gsd_taken_for_unknown']} pairs do not say their pixel size: taken as 0.5 m; give --gsd"
        )
    if one["outside_the_card"]:
        said.append(
            f"{len(one['outside_the_card'])} pairs have pixels outside the card's range, where the weights were never "
            f"measured: {', '.join(one['outside_the_card'][:3])}"
        )
    return said


def _row(report: dict[str, Any]) -> dict[str, str]:
    low, high = report["f1_interval_95"]
    return {"detector": report["detector"]} | {
        "precision": _short(report["all"]["precision"]), "recall": _short(report["all"]["recall"]),
        "F1": _short(report["all"]["f1"]), "95 %": f"{low:.2f} … {high:.2f}", "ECE": _short(report["all"]["ece"]),
        "object F1 at IoU 0.3": _short(report["all"]["object_f1_iou_0.3"]),
        "shifted 2 px": _short(report["stress"]["shifted_2px_f1"]),
    }  # fmt: skip


def _short(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def train(
    root: Root,
    out: Annotated[Path, typer.Option("--out", help="Folder for weights, card and log.")],
    data: Data = None,
    name: Annotated[str, typer.Option("--name", help="Name of the weights.")] = "mine",
    encoder: Annotated[str, typer.Option("--encoder", help="lite0 or hgnetv2.")] = "lite0",
    steps: Annotated[int, typer.Option("--steps", min=1, help="Optimizer steps.")] = 4000,
    batch: Annotated[int, typer.Option("--batch", min=2, help="Pairs a step.")] = 10,
    side: Annotated[int, typer.Option("--side", min=64, help="Pixels along a chip; a multiple of 32.")] = 160,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed, the same chips.")] = 0,
    drawn_ground: Annotated[
        float,
        typer.Option(
            "--drawn-ground", min=0, max=1, help="Of pasted ground, the part drawn: roads, ponds, …"
        ),
    ] = 0.5,
    start_from: Annotated[
        str,
        typer.Option("--start-from", help="Shipped name or file of weights to go on from, with your data."),
    ] = "",
    from_nothing: Annotated[
        bool, typer.Option("--from-nothing", help="Do not start from ImageNet weights.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Teach a network on your data; an interrupted run in the same folder goes on where it stopped."""
    from detection.learned import pick_device
    from models.learn import learn
    from models.siamese import COARSEST, ENCODERS
    from models.train import Recipe

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
        drawn_ground=drawn_ground,
        imagenet=encoder == "lite0" and not from_nothing and not start_from,
        start=start_from,
    )
    with terminal.progress() as advance:
        card = learn(data, root, recipe, out, name, pick_device(device), advance)
    terminal.say(f"Weights: {out / (name + '.safetensors')}")
    terminal.say(f"Held-out loss: {card.training['held_out']}")
