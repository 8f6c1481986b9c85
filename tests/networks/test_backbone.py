from __future__ import annotations

import re
import urllib.request

import pytest
import torch
from torch import nn

from ae_lightning.checkpoints.loading import load_autoencoder
from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.networks import Backbone
from ae_lightning.networks.backbone import weights_follow
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import build_trainer, generate_batch, write_images
from ae_lightning.variants.vanilla import VanillaAE

NUM_OUTPUTS = 3
SHAPES = [(1, 8, 8), (3, 13, 13)]
FAMILIES = [
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "mnasnet0_5",
    "mobilenet_v3_small",
    "regnet_x_400mf",
    "resnet18",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "swin_t",
    "vgg11_bn",
]
FIXED_SIZE = ["vit_b_32", "maxvit_t"]
SHOWN_AT_ONCE = ("googlenet", "resnet18", "squeezenet1_1", "vit_b_32")
"""One of each way to be adapted; the rest are tried with the slow tests."""


def build_encoder(name, shape):
    torch.manual_seed(0)
    return Backbone(name).build_encoder(DataSpec(shape), NUM_OUTPUTS)


def check_it_trains(encoder, shape):
    """Two images in train mode: the codes depend on them and on every parameter."""
    x_BCHW = generate_batch(shape, 2).requires_grad_()
    outputs = encoder.train()(x_BCHW)
    assert outputs.shape == (2, NUM_OUTPUTS)
    outputs.square().sum().backward()
    assert x_BCHW.grad.abs().max() > 0
    assert all(parameter.grad is not None for parameter in encoder.parameters())
    assert all(parameter.grad.isfinite().all() for parameter in encoder.parameters())


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in SHOWN_AT_ONCE else pytest.mark.slow) for name in [*FAMILIES, *FIXED_SIZE]],
)
def test_a_trunk_takes_small_grey_images(name):
    shape = (1, 8, 8)
    encoder = build_encoder(name, shape)
    check_it_trains(encoder, shape)
    x_BCHW = generate_batch(shape, 3)
    with torch.no_grad():
        codes = encoder.eval()(x_BCHW)
        assert codes.shape == (3, NUM_OUTPUTS)
        torch.testing.assert_close(encoder(x_BCHW[:1]), codes[:1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet18", pytest.param("vgg11_bn", marks=pytest.mark.slow), "vit_b_32"])
def test_a_trunk_takes_odd_oblong_colour_images(name):
    shape = (3, 13, 17)
    check_it_trains(build_encoder(name, shape), shape)


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "inception_v3"])
def test_a_code_may_be_negative(name):
    """A last layer that no activation follows: turned round, it gives the opposite code."""
    encoder = build_encoder(name, (1, 8, 8)).eval()
    last = [layer for layer in encoder.modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1]
    x_BCHW = generate_batch((1, 8, 8), 2)
    with torch.no_grad():
        code = encoder(x_BCHW)
        for parameter in last.parameters():
            parameter.neg_()
        torch.testing.assert_close(encoder(x_BCHW), -code)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_decoder_gives_back_the_shape(shape):
    images = Backbone().build_decoder(NUM_OUTPUTS, DataSpec(shape))(torch.zeros(2, NUM_OUTPUTS))
    assert images.shape == (2, *shape)


def test_encoder_and_decoder_have_one_stage_each():
    """A trunk has no mirror: the whole decoder undoes it."""
    network = Backbone()
    assert len(network.build_encoder(DataSpec((1, 8, 8)), 2)) == len(network.build_decoder(2, DataSpec((1, 8, 8)))) == 1


def test_a_grey_image_is_the_colour_image_of_equal_channels():
    grey = generate_batch((1, 8, 8), 2)
    one, three = (build_encoder("resnet18", (channels, 8, 8)).eval() for channels in (1, 3))
    with torch.no_grad():
        torch.testing.assert_close(one(grey), three(grey.expand(-1, 3, -1, -1)))


def test_images_that_are_large_enough_keep_their_size():
    encoder = build_encoder("resnet18", (3, 40, 33)).eval()
    seen = []
    encoder[0][1].register_forward_pre_hook(lambda trunk, inputs: seen.append(inputs[0].shape))
    encoder(torch.zeros(2, 3, 40, 33))
    assert seen == [(2, 3, 40, 33)]


def test_any_number_of_channels_is_mixed_to_three():
    encoder = Backbone().build_encoder(DataSpec((4, 32, 32)), 2).eval()
    images = torch.rand(3, 4, 32, 32)
    weights = encoder[0][0].mix.weight
    assert weights.shape == (3, 4, 1, 1)
    assert encoder(images).shape == (3, 2)
    with torch.no_grad():
        before = encoder(images)
        images[:, 3] += 1
        assert not torch.allclose(encoder(images), before)


def test_an_unknown_trunk_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"^model\.network\.name: 'resnet19' .*did you mean 'resnet1[08]'"):
        Backbone("resnet19")


def test_unknown_weights_are_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"^model\.network\.weights: 'IMAGENET_V1' .*did you mean 'IMAGENET1K_V1'"):
        Backbone(weights="IMAGENET_V1")


@pytest.mark.parametrize("name", ["resnet18", "googlenet"])
def test_weights_that_cannot_be_downloaded_say_where_to_put_them(name, tmp_path, monkeypatch):
    """A proxy at a port where nothing listens: no machine reaches the hub, whatever its network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    # urllib keeps what it first makes of these variables: for this test alone, let it make that anew.
    monkeypatch.setattr(urllib.request, "_opener", None)
    with pytest.raises(ConfigError, match=re.escape(f"{tmp_path / 'hub'}/checkpoints")) as caught:
        Backbone(name, weights="DEFAULT").build_encoder(DataSpec((3, 32, 32)), 2)
    assert str(caught.value).startswith(f"model.network.weights: DEFAULT of {name} cannot be downloaded")
    assert "leave weights at null" in str(caught.value)


@pytest.fixture
def squeezenet(tmp_path, monkeypatch):
    """A trunk whose weights lie where the hub keeps what it downloads."""
    from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1

    torch.manual_seed(1)
    trunk = squeezenet1_1()
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    torch.save(trunk.state_dict(), checkpoints / SqueezeNet1_1_Weights.DEFAULT.url.rpartition("/")[2])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return trunk


def test_weights_in_the_folder_are_used(squeezenet):
    """The file lies where the error says, and its trunk sees white as (1 − mean) / std of ImageNet."""
    encoder = Backbone("squeezenet1_1", weights="DEFAULT").build_encoder(DataSpec((3, 32, 32)), 2)
    white = encoder[0][0](torch.ones(1, 3, 1, 1)).flatten()
    torch.testing.assert_close(white, torch.tensor([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225]))
    assert torch.equal(encoder[0][1].features[0].weight, squeezenet.features[0].weight)


@pytest.fixture
def pretrained(squeezenet, tmp_path, monkeypatch):
    """A model with a pretrained trunk and its checkpoint, where there is no network and no weights any more."""
    model = VanillaAE(
        spec=DataSpec((3, 32, 32)), latent_dim=2, network=Backbone("squeezenet1_1", weights="DEFAULT", widths=(4,))
    )
    images = write_images(tmp_path, (3, 32, 32), 4)
    trainer = build_trainer()
    trainer.fit(model, DataModule(name="npz", path=str(images), batch_size=4, num_val=0))
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    return model, tmp_path / "model.ckpt"


@pytest.mark.filterwarnings("ignore:::lightning")
def test_a_checkpoint_brings_the_weights_itself(pretrained):
    """The trunk normalises as in training, and gives the same codes."""
    model, checkpoint = pretrained
    loaded = load_autoencoder(checkpoint).eval()
    x_BCHW = generate_batch((3, 32, 32), 2)
    with torch.no_grad():
        torch.testing.assert_close(loaded.encode(x_BCHW), model.eval().encode(x_BCHW))


@pytest.mark.filterwarnings("ignore:::lightning")
def test_the_command_line_takes_the_weights_of_a_checkpoint(pretrained, bare_workspace):
    _, checkpoint = pretrained
    quick = ("--evaluation.measures", "[mse]", "--evaluation.pictures", "[]")
    outcome = bare_workspace("validate", "--ckpt_path", checkpoint, "--data.num_val", "2", *quick)
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize(
    ("name", "weights", "setting", "value"),
    [
        pytest.param("vit_b_16", "IMAGENET1K_SWAG_E2E_V1", "image_size", 384, marks=pytest.mark.slow),
        ("googlenet", "DEFAULT", "transform_input", True),
        ("inception_v3", "DEFAULT", "transform_input", True),
    ],
)
def test_without_its_weights_a_trunk_is_built_as_with_them(name, weights, setting, value):
    with weights_follow():
        encoder = Backbone(name, weights=weights).build_encoder(DataSpec((3, 32, 32)), 2)
    assert getattr(encoder[0][1], setting) == value
