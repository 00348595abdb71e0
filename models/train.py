"""Training: chips in, an averaged network out; resumable, seeded, logged as CSV."""

import copy
import json
import logging
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import models.vision_ops  # noqa: F401  (before whatever imports torchvision)

# isort: split
import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from torch.utils.data import DataLoader

from ground.errors import BadInput
from models.checkpoint import find, load
from models.dataset import ChipPair, Chips
from models.imagenet import MEAN, STD, imagenet_weights
from models.losses import total_loss
from models.siamese import SiameseFpn
from models.training_scene import TrainingScene

Advance = Callable[[str, int, int], None]

SAVED_EVERY = 200
"""Steps after which an interrupted run can go on."""


@dataclass(frozen=True)
class Recipe:
    """How to train; everything of it goes into the card."""

    encoder: str = "lite0"
    width: int = 48
    steps: int = 4000
    batch: int = 12
    side: int = 192
    rate: float = 1e-3
    encoder_rate: float = 3e-4
    decay: float = 0.01
    warmup: int = 100
    averaging: float = 0.995
    seed: int = 0
    workers: int = 1
    drawn_ground: float = 0.5
    """Of the ground put on chips that is no building, how much is drawn: roads, greenhouses, ponds, …"""
    imagenet: bool = True
    start: str = ""
    """Shipped name or file of weights to start from; their encoder and width are the recipe's."""


class Training(lightning.LightningModule):
    """The network with its loss, its optimizer and the average of its weights over time."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = SiameseFpn(recipe.encoder, recipe.width)
        if recipe.start:
            self.network.load_state_dict(load(find(recipe.start))[0].state_dict())
        elif recipe.imagenet:
            self.network.encoder.load_state_dict(imagenet_weights(self.network.encoder), strict=True)
        self.averaged = copy.deepcopy(self.network).requires_grad_(False).eval()

    def training_step(self, batch: list[Tensor], _index: int) -> Tensor:
        """Loss of a batch of `ChipPair`s."""
        sample = ChipPair(*batch)
        network: Any = self.network
        seen = network(normalized(sample.before), normalized(sample.after))
        parts = total_loss(seen, sample)
        self.log_dict(parts)
        return parts["loss"]

    def on_train_batch_end(self, *_: Any) -> None:
        """Weights averaged exponentially; early on over fewer steps."""
        keep = min(self.recipe.averaging, (1 + self.global_step) / (10 + self.global_step))
        with torch.no_grad():
            for ours, theirs in zip(
                self.averaged.state_dict().values(), self.network.state_dict().values(), strict=True
            ):
                if ours.dtype.is_floating_point:
                    ours.lerp_(theirs, 1 - keep)
                else:
                    ours.copy_(theirs)

    def configure_optimizers(self) -> Any:
        """AdamW; warm-up, then cosine down to nothing; the pretrained encoder slower than the rest."""
        encoder = list(self.network.encoder.parameters())
        ids = {id(p) for p in encoder}
        rest = [p for p in self.network.parameters() if id(p) not in ids]
        groups = [
            {"params": encoder, "lr": self.recipe.encoder_rate},
            {"params": rest, "lr": self.recipe.rate},
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=self.recipe.decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning(step, self.recipe))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def learning(step: int, recipe: Recipe) -> float:
    """Part of the full learning rate at a step."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def normalized(images: Tensor) -> Tensor:
    """uint8 → what the encoder was pretrained on; channels last."""
    ready = (images.float() - MEAN) / STD
    return ready.contiguous(memory_format=torch.channels_last)


class _Told(Callback):
    """Passes progress on."""

    def __init__(self, advance: Advance) -> None:
        self.advance = advance

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """One step more."""
        self.advance("train", trainer.global_step, trainer.max_steps)


def train(
    grounds: list[TrainingScene], recipe: Recipe, folder: Path, device: str, advance: Advance
) -> tuple[SiameseFpn, dict[str, Any]]:
    """The averaged network after `recipe.steps`, and what it took. An interrupted run in `folder` goes on.

    Raises:
        BadInput: nothing to learn from.
    """
    if not grounds:
        raise BadInput(f"{folder}: there is nothing to learn from; check the training-data file")
    _same_run(folder, recipe)
    with warnings.catch_warnings():
        # Lightning advises programmers: more workers, fewer modules in eval mode.
        warnings.simplefilter("ignore")
        for name in ("lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.WARNING)
        return _train(grounds, recipe, folder, device, advance)


def _same_run(folder: Path, recipe: Recipe) -> None:
    """Keeps the recipe beside what is learned; refuses to go on with another."""
    kept = folder / "recipe.json"
    asked = asdict(recipe)
    if not (folder / "last.ckpt").exists():
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(asked, indent=2) + "\n", encoding="utf-8")
        return
    begun = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    other = [
        f"{key} {begun.get(key)}, not {value}" for key, value in asked.items() if begun.get(key) != value
    ]
    if other:
        raise BadInput(
            f"{folder}: holds a run begun with {'; '.join(other)}; ask for the same, or give another --out"
        )


def _train(
    grounds: list[TrainingScene], recipe: Recipe, folder: Path, device: str, advance: Advance
) -> tuple[SiameseFpn, dict[str, Any]]:
    lightning.seed_everything(recipe.seed, workers=True, verbose=False)
    loader = DataLoader(
        Chips(grounds, recipe.side, recipe.seed, drawn_ground=recipe.drawn_ground),
        batch_size=recipe.batch,
        num_workers=recipe.workers,
        persistent_workers=recipe.workers > 0,
        pin_memory=device == "cuda",
    )
    module = Training(recipe).to(memory_format=torch.channels_last)
    kept = ModelCheckpoint(
        folder, filename="last", every_n_train_steps=SAVED_EVERY, save_top_k=1, enable_version_counter=False
    )
    trainer = lightning.Trainer(
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        precision="bf16-mixed" if device == "cuda" else "32-true",
        max_steps=recipe.steps,
        max_epochs=-1,
        gradient_clip_val=5.0,
        callbacks=[kept, _Told(advance)],
        logger=CSVLogger(folder, name="log", version=0),
        log_every_n_steps=min(20, recipe.steps),
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    begun = time.perf_counter()
    last = folder / "last.ckpt"
    trainer.fit(module, loader, ckpt_path=str(last) if last.exists() else None, weights_only=True)
    took = {
        "seconds": round(time.perf_counter() - begun),
        "steps": trainer.global_step,
        "recipe": asdict(recipe),
    }
    return module.averaged, took
