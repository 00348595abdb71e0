"""Weights and their card: NAME.safetensors with NAME.json beside it; nothing else holds what the card says."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ground.errors import BadInput, one_line
from ground.files import sha256, written_beside

SHIPPED = Path(__file__).parent / "weights"
DEFAULT = "buildings-lite0"


class TrainedOn(BaseModel):
    """One set that the weights saw."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    license: str
    images: int


class Score(BaseModel):
    """One measured figure: of which set, by which command, with which uncertainty."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    set: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    pairs: int
    seed: int
    how: str


class Card(BaseModel):
    """What must be known of weights before they may judge a scene."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    network: Literal["siamese_fpn"]
    encoder: str
    width: int = Field(gt=0)
    bands: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    gsd_m: tuple[float, float]
    """Finest and coarsest ground sample distance it was taught and measured on."""
    work_gsd_m: tuple[float, float]
    """Scenes finer or coarser than this are resampled by a whole factor before they are looked at."""
    scales: tuple[int, ...] = (1,)
    """Whole factors by which the scene at its working pixel size is averaged; probabilities of all are averaged."""
    classes: tuple[str, ...]
    threshold: float = Field(gt=0, lt=1)
    temperature: float = Field(gt=0)
    margin_px: int = Field(ge=0)
    trained_on: tuple[TrainedOn, ...]
    scores: tuple[Score, ...]
    training: dict[str, Any]
    sha256: str


def card_path(weights: Path) -> Path:
    """Where the card of a weights file lies."""
    return weights.with_suffix(".json")


def find(name: str) -> Path:
    """The weights meant by a shipped name or a path.

    Raises:
        BadInput: neither.
    """
    for path in (SHIPPED / f"{name}.safetensors", Path(name)):
        if path.is_file():
            return path
    raise BadInput(
        f"--weights: {name!r} is neither a file nor shipped; shipped are: {', '.join(shipped()) or 'none'}"
    )


def shipped() -> list[str]:
    """Names of the weights that come with the software."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def read_card(weights: Path) -> Card:
    """The card beside a weights file.

    Raises:
        BadInput: missing, or not a card.
    """
    file = card_path(weights)
    try:
        return Card.model_validate_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(f"{file}: weights without a card cannot be used; put the card beside them") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: is not a card of weights: {one_line(error)}") from error


def load(weights: Path) -> tuple[Any, Card]:
    """The network with these weights (a `SiameseFpn` in eval mode, on the CPU) and its card.

    Raises:
        BadInput: the file is not the one that the card describes (sha256), or does not fit the network.
    """
    from safetensors.torch import load_file

    from models.siamese import NETWORKS

    card = read_card(weights)
    found = sha256(weights)
    if found != card.sha256:
        raise BadInput(
            f"{weights}: its sha256 is {found[:12]}…, the card says {card.sha256[:12]}…: damaged or another file; "
            "fetch it again"
        )
    network = NETWORKS[card.network](card.encoder, card.width)
    network.load_state_dict(load_file(weights))
    return network.eval(), card


def save(network: Any, card: Card, weights: Path) -> Card:
    """Weights (half precision; the network computes in single) and card, each whole or not at all."""
    import torch
    from safetensors.torch import save_file

    weights.parent.mkdir(parents=True, exist_ok=True)
    state = {
        name: (value.half() if value.dtype == torch.float32 and value.dim() > 1 else value).contiguous()
        for name, value in network.state_dict().items()
    }
    with written_beside(weights) as beside:
        save_file(state, beside)
        beside.chmod(0o644)
    final = card.model_copy(update={"sha256": sha256(weights)})
    with written_beside(card_path(weights)) as beside:
        beside.write_text(final.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return final
