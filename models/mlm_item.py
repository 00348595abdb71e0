"""A STAC Item of weights, by the Machine Learning Model extension: what goes in and out, where the files lie."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pystac

from models.checkpoint import Card

MLM = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
FILE_INFO = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
KINDS = {
    ".onnx": ("application/octet-stream; application=onnx", "ONNX"),
    ".pt2": ("application/zip; application=pytorch; profile=pt2", "torch.export.save"),
}
SHA256_MULTIHASH = "1220"
"""Prefix of a multihash: SHA-256, 32 bytes."""


def mlm_item(card: Card, gsd_m: float, files: dict[str, str], parameters: int) -> dict[str, Any]:
    """The Item as JSON; `files`: name → sha256 of what lies beside it; `parameters`: how many weights there are."""
    item = pystac.Item(
        id=card.name,
        # Weights lie nowhere on the ground.
        geometry=None,
        bbox=None,
        datetime=datetime.now(UTC).replace(microsecond=0),
        properties=_properties(card, gsd_m, parameters),
        stac_extensions=[MLM, FILE_INFO],
    )
    for name, digest in files.items():
        media, artifact = KINDS[f".{name.rsplit('.', 1)[1]}"]
        about = {"mlm:artifact_type": artifact, "file:checksum": SHA256_MULTIHASH + digest}
        item.add_asset(
            name, pystac.Asset(f"./{name}", media_type=media, roles=["mlm:model"], extra_fields=about)
        )
    return item.to_dict(include_self_link=False)


def _properties(card: Card, gsd_m: float, parameters: int) -> dict[str, Any]:
    at = card.operating_at(gsd_m)
    return {
        "description": "Buildings that appeared or disappeared between two dates; a clue, never a verdict.",
        "license": "other",
        "gsd": gsd_m,
        "mlm:name": card.name,
        "mlm:architecture": f"{card.network} ({card.encoder})",
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": "pytorch",
        "mlm:framework_version": version("torch").split("+")[0],
        "mlm:total_parameters": parameters,
        "mlm:pretrained": True,
        "mlm:pretrained_source": "; ".join(f"{one.name} ({one.license})" for one in card.trained_on),
        "mlm:hyperparameters": card.training.get("recipe", {}),
        "mlm:input": [_input(card, date) for date in ("before", "after")],
        "mlm:output": [_output()],
        "tiankan:weights_sha256": card.sha256,
        "tiankan:threshold": at.threshold,
        "tiankan:gsd_m": list(card.gsd_m),
        "tiankan:working_gsd_m": list(card.work_gsd_m),
    }


def _input(card: Card, date: str) -> dict[str, Any]:
    return {
        "name": date,
        "bands": list(card.bands),
        "input": {"shape": [-1, 3, -1, -1], "dim_order": ["batch", "bands", "height", "width"], "data_type": "float32"},
        # The files normalize by themselves: they take bytes as they are.
        "value_scaling": [{"type": "clip", "minimum": 0, "maximum": 255}],
        "resize_type": None,
        "pre_processing_function": None,
    }  # fmt: skip


def _output() -> dict[str, Any]:
    return {
        "name": "probability",
        "tasks": ["semantic-segmentation"],
        "result": {
            "shape": [-1, 1, -1, -1], "dim_order": ["batch", "class", "height", "width"], "data_type": "float32",
        },
        "classification:classes": [
            {"value": 1, "name": "building_changed", "description": "a building appeared or disappeared"}
        ],
        "post_processing_function": None,
    }  # fmt: skip
