"""Classes beside what encoder and decoder take."""

from __future__ import annotations

import pytest
import torch
from conditional_vae import ConditionalVAE

from ae_lightning.models.conditions import append_condition
from ae_lightning.networks import MLP
from ae_lightning.spec import DataSpec

NUM_CLASSES = 3
GIVEN = torch.tensor([0, 2, -1, 3, 4, 7, -2, -100])
EXPECTED = torch.tensor([[1, 0, 0], [0, 0, 1], *[[0, 0, 0]] * 6])


@pytest.mark.parametrize(("shape", "axis"), [((2,), 1), ((2, 4, 5), 1), ((4, 2), 2)])
def test_a_class_is_one_hot_and_none_where_it_is_missing_or_not_known(shape, axis):
    x = torch.rand(len(GIVEN), *shape)
    found = append_condition(x, GIVEN, NUM_CLASSES, axis).movedim(axis, -1)
    assert torch.equal(found[..., :2], x.movedim(axis, -1))
    expected = EXPECTED.float().view(len(GIVEN), *[1] * (x.ndim - 2), NUM_CLASSES)
    assert torch.equal(found[..., 2:], expected.expand_as(found[..., 2:]))


def test_a_class_that_was_never_seen_is_no_other_one():
    torch.manual_seed(0)
    spec = DataSpec((4,), "vector", None, num_classes=NUM_CLASSES)
    model = ConditionalVAE(spec=spec, network=MLP(hidden=[8]), latent_dim=2).eval()
    drawn = model.decode(torch.zeros(len(GIVEN), 2), GIVEN).detach()
    assert not torch.equal(drawn[0], drawn[2])
    for missing in drawn[3:]:
        torch.testing.assert_close(missing, drawn[2])


def test_classes_are_one_for_each_sample():
    with pytest.raises(ValueError, match="2 classes for 3 samples"):
        append_condition(torch.zeros(3, 1), torch.zeros(2, dtype=torch.int64), NUM_CLASSES)
