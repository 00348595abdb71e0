"""The network's promises: no order of time, a finite neighborhood, any encoder; and weights that keep their card."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ground.errors import BadInput
from models.checkpoint import Card, card_path, find, load, read_card, save, shipped
from models.fold import folded
from models.siamese import ENCODERS, LAND, SiameseFpn
from models.tiled import TiledNetwork


def random_network(encoder: str = "lite0") -> SiameseFpn:
    torch.manual_seed(0)
    network = SiameseFpn(encoder, width=16)
    for parameter in network.refine.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3)
    return network.eval()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_shapes_and_no_order_of_time(encoder: str) -> None:
    network = random_network(encoder)
    before, after = torch.randn(2, 3, 64, 96), torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        seen, swapped = network(before, after), network(after, before)
    assert seen.change.shape == (2, 1, 16, 24)
    assert seen.before.shape == seen.after.shape == (2, len(LAND), 16, 24)
    assert torch.equal(seen.change, swapped.change)
    assert torch.equal(seen.before, swapped.after)


def test_untrained_it_is_the_plain_difference_of_buildings() -> None:
    network = SiameseFpn(width=16).eval()
    with torch.inference_mode():
        seen = network(torch.randn(1, 3, 64, 64), torch.randn(1, 3, 64, 64))
    difference = (seen.before[:, :1].sigmoid() - seen.after[:, :1].sigmoid()).abs()
    assert torch.allclose(seen.change.sigmoid(), difference.clamp(1e-3, 1 - 1e-3), atol=1e-6)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize(("height", "width"), [(32, 64), (288, 544), (608, 1056)])
def test_tile_by_tile_it_sees_the_same(encoder: str, height: int, width: int) -> None:
    network = folded(random_network(encoder))
    pictures = [
        torch.randn(1, 3, height, width).contiguous(memory_format=torch.channels_last) for _ in range(2)
    ]
    with torch.inference_mode():
        for whole, here in zip(network(*pictures), TiledNetwork(network)(*pictures), strict=True):
            assert whole.shape == here.shape
            # The same sums; how they are vectorized, and so rounded, may depend on a tensor's size.
            assert (whole - here).abs().max() <= 1e-4 * whole.abs().max()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_folded_it_says_the_same_without_batch_norm(encoder: str) -> None:
    network = random_network(encoder)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) * 0.1
            module.running_var = torch.rand(module.num_features) + 0.5
    ready = folded(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in ready.modules())
    pair = torch.randn(2, 1, 3, 64, 96)
    with torch.inference_mode():
        for one, other in zip(network(*pair), ready(*pair), strict=True):
            assert float((one.sigmoid() - other.sigmoid()).abs().max()) < 1e-3


def card(**changes: object) -> Card:
    return Card(
        name="t", network="siamese_fpn", encoder="lite0", width=16, bands=("red", "green", "blue"), mean=(127,) * 3,
        std=(128,) * 3, gsd_m=(0.2, 2), work_gsd_m=(0.3, 1.1), classes=("building",), threshold=0.5, temperature=1.0,
        margin_px=64, trained_on=(), scores=(), training={}, sha256="",
    ).model_copy(update=changes)  # fmt: skip


def test_weights_come_back_as_they_were_saved(tmp_path: Path) -> None:
    network = random_network()
    saved = save(network, card(), tmp_path / "t.safetensors")
    again, known = load(tmp_path / "t.safetensors")
    assert known == saved
    pair = torch.randn(2, 1, 3, 64, 64)
    with torch.inference_mode():
        p, q = (n(pair[0], pair[1]).change.sigmoid() for n in (network, again))
    assert float((p - q).abs().max()) < 5e-3  # stored in half precision


def test_damaged_weights_are_refused_by_their_hash(tmp_path: Path) -> None:
    file = tmp_path / "t.safetensors"
    save(random_network(), card(), file)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(BadInput, match=r"its sha256 is .* the card says"):
        load(file)


def test_weights_without_a_card_or_with_a_torn_one_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.safetensors"
    save(random_network(), card(), file)
    card_path(file).write_text('{"name": 1}')
    with pytest.raises(BadInput, match="is not a card of weights"):
        read_card(file)
    card_path(file).unlink()
    with pytest.raises(BadInput, match="without a card"):
        read_card(file)
    with pytest.raises(BadInput, match="neither a file nor shipped"):
        find("nothing-like-it")


def test_every_shipped_weight_fits_its_card_and_names_open_licenses() -> None:
    assert shipped()
    for name in shipped():
        network, known = load(find(name))
        assert known.name == name
        assert find(name).stat().st_size < 20e6
        assert known.trained_on
        assert not any(
            "NC" in one.license or "fotbcd" in one.name or "taizhou" in one.name for one in known.trained_on
        )
        assert np.isfinite([float(p.detach().abs().max()) for p in network.parameters()]).all()
