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


class Operating(BaseModel):
    """Where the probability is honest and the decision falls, for a range of working pixel sizes.

    p = sigmoid(logit(mean over the scales) / temperature + bias), change from `threshold` on (Platt 1999, Guo 2017).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gsd_m: tuple[float, float]
    temperature: float = Field(gt=0)
    bias: float
    threshold: float = Field(gt=0, lt=1)
    ece: float
    """Expected calibration error on the pairs that were not fitted on."""
    pairs: int
    measured_on: str
    false_clues: tuple[tuple[float, float], ...] = ()
    """(threshold, bound): at this threshold, at most `bound` of a new pair's clues are expected to be false."""
    coverage: tuple[tuple[float, float], ...] = ()
    """(asked, kept): the share of false clues on pairs that the threshold for `asked` was not chosen on."""


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
    """Both for weights that nobody calibrated; `operating` outranks them."""
    operating: tuple[Operating, ...] = ()
    margin_px: int = Field(ge=0)
    trained_on: tuple[TrainedOn, ...]
    scores: tuple[Score, ...]
    training: dict[str, Any]
    sha256: str

    def resampling(self, gsd_m: float | None) -> tuple[int, int]:
        """(averaged, enlarged): the whole factor by which a scene is made coarser, or finer, to suit the card."""
        if gsd_m is None:
            return 1, 1
        finest, coarsest = self.work_gsd_m
        averaged = 1
        while gsd_m * averaged < finest * 0.999:
            averaged *= 2
        enlarged = 1
        while gsd_m / enlarged > coarsest * 1.001:
            enlarged *= 2
        return averaged, enlarged

    def working_gsd_m(self, gsd_m: float | None) -> float | None:
        """Pixel size at which the network looks at a scene of `gsd_m`."""
        averaged, enlarged = self.resampling(gsd_m)
        return None if gsd_m is None else gsd_m * averaged / enlarged

    def operating_at(self, gsd_m: float | None) -> Operating:
        """The range that a working pixel size lies in, or the nearest; the first where the size is unknown."""
        plain = Operating(
            gsd_m=self.work_gsd_m, temperature=self.temperature, bias=0.0, threshold=self.threshold, ece=0.0,
            pairs=0, measured_on="",
        )  # fmt: skip
        ranges = self.operating or (plain,)
        if gsd_m is None:
            return ranges[0]
        return min(ranges, key=lambda one: max(one.gsd_m[0] - gsd_m, gsd_m - one.gsd_m[1], 0.0))

    def threshold_for(self, gsd_m: float | None, most_false: float, where: str) -> float:
        """The lowest threshold whose bound on the share of false clues is `most_false` or less.

        Raises:
            BadInput: not a share, nobody measured it for these weights, or no threshold reaches it.
        """
        if not 0 < most_false < 1:
            raise BadInput(f"{where}: {most_false} is no share between 0 and 1; write for example 0.1")
        bounds = self.operating_at(gsd_m).false_clues
        if not bounds:
            raise BadInput(
                f"{where}: {self.name} has no measured false clues; run `tiankan models calibrate` first"
            )
        reached = [threshold for threshold, bound in bounds if bound <= most_false]
        if not reached:
            least = min(bound for _, bound in bounds)
            raise BadInput(
                f"{where}: no threshold of {self.name} keeps false clues to {most_false}; ask for {least:.3f} or more"
            )
        return min(reached)


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
    write_card(final, weights)
    return final


def write_card(card: Card, weights: Path) -> None:
    """The card beside its weights, whole or not at all."""
    with written_beside(card_path(weights)) as beside:
        beside.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
