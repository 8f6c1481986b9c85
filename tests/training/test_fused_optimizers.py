from __future__ import annotations

import copy
from functools import partial

import pytest
import torch

from ae_lightning.training.optimizers import like_parameter, use_fused

SHAPE = (4, 3, 2, 5)
ORDERS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
RECIPES = {
    "adam": partial(torch.optim.Adam, lr=0.1, weight_decay=0.01),
    "amsgrad": partial(torch.optim.Adam, lr=0.1, amsgrad=True),
    "adamw": partial(torch.optim.AdamW, lr=0.1),
    "sgd": partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True),
    "adagrad": partial(torch.optim.Adagrad, lr=0.1),
}

orders = pytest.mark.parametrize("parameter_order", ORDERS)
gradient_orders = pytest.mark.parametrize("gradient_order", ORDERS)
recipes = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


def make_parameters(order):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(SHAPE, generator=generator).contiguous(memory_format=ORDERS[order])
    return [torch.nn.Parameter(weight), torch.nn.Parameter(torch.randn(4, generator=generator))]


def set_gradients(parameters, step, order):
    generator = torch.Generator().manual_seed(1 + step)
    for parameter in parameters:
        gradient = torch.randn(parameter.shape, generator=generator)
        if gradient.dim() == len(SHAPE):
            gradient = gradient.contiguous(memory_format=ORDERS[order])
        # An assignment of another memory order would be refused by nothing, as DDP's buckets and users show.
        parameter.grad = gradient


def train(optimizer, gradient_order, steps):
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for step in steps:
        set_gradients(parameters, step, gradient_order)
        optimizer.step()
    return [parameter.detach() for parameter in parameters]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@orders
@gradient_orders
@recipes
def test_fused_is_unfused(recipe, parameter_order, gradient_order):
    fused = use_fused(recipe(make_parameters(parameter_order)))
    unfused = recipe(make_parameters(parameter_order), foreach=False)
    assert fused.param_groups[0]["fused"]
    assert_same(train(fused, gradient_order, range(4)), train(unfused, gradient_order, range(4)))


@orders
@gradient_orders
@pytest.mark.parametrize("state_order", ORDERS)
@recipes
def test_fused_is_unfused_after_a_restore(recipe, state_order, parameter_order, gradient_order):
    """A checkpoint's moments keep the memory order of where they came from."""
    before = recipe(make_parameters("contiguous"), foreach=False)
    train(before, "contiguous", range(3))
    state = in_order(before.state_dict(), ORDERS[state_order])
    ends = []
    for optimizer in (
        use_fused(recipe(make_parameters(parameter_order))),
        recipe(make_parameters(parameter_order), foreach=False),
    ):
        # A copy, with the optimizer's own choice of step: a state dict holds the groups' settings too.
        own = copy.deepcopy(state)
        for group in own["param_groups"]:
            group.update({name: optimizer.param_groups[0][name] for name in ("fused", "foreach")})
        optimizer.load_state_dict(own)
        ends.append(train(optimizer, gradient_order, range(3, 6)))
    assert_same(*ends)


@pytest.mark.parametrize("saved_fused", [False, True])
@pytest.mark.parametrize("chosen_fused", [None, False, True])
@orders
def test_a_state_of_another_step_is_restored_right(parameter_order, chosen_fused, saved_fused):
    """The state dict brings its own `fused` with it, which then decides the step, whatever was chosen."""
    recipe = RECIPES["adam"]
    before = recipe(make_parameters("contiguous"), fused=saved_fused)
    train(before, "contiguous", range(3))
    restored = use_fused(recipe(make_parameters(parameter_order), fused=chosen_fused))
    restored.load_state_dict(copy.deepcopy(before.state_dict()))
    expected = recipe(make_parameters(parameter_order), foreach=False)
    expected.load_state_dict(copy.deepcopy(before.state_dict()))
    expected.param_groups[0].update(fused=False)
    assert_same(train(restored, "contiguous", range(3, 6)), train(expected, "contiguous", range(3, 6)))


def in_order(state_dict, memory_format):
    state_dict = copy.deepcopy(state_dict)
    for values in state_dict["state"].values():
        for name, value in values.items():
            if isinstance(value, torch.Tensor) and value.dim() == len(SHAPE):
                values[name] = value.contiguous(memory_format=memory_format)
    return state_dict


def test_without_help_torch_is_wrong_here():
    """Shows that the tests above see the fault: where this fails, torch has mended it and the help can go."""
    recipe = RECIPES["adam"]
    raw = recipe(make_parameters("channels_last"), fused=True)
    unfused = recipe(make_parameters("channels_last"), foreach=False)
    found, expected = train(raw, "contiguous", range(4)), train(unfused, "contiguous", range(4))
    assert (found[0] - expected[0]).abs().max() > 0.01


@orders
@gradient_orders
@recipes
def test_fused_is_unfused_with_a_closure(recipe, parameter_order, gradient_order):
    """Lightning's automatic optimisation computes the gradients in a closure, within the step."""
    ends = []
    for optimizer in (
        use_fused(recipe(make_parameters(parameter_order))),
        recipe(make_parameters(parameter_order), foreach=False),
    ):
        parameters = optimizer.param_groups[0]["params"]
        for step in range(4):

            def closure(parameters=parameters, step=step):
                set_gradients(parameters, step, gradient_order)
                return torch.tensor(float(step))

            assert optimizer.step(closure) == step
            optimizer.zero_grad()
        ends.append([parameter.detach() for parameter in parameters])
    assert_same(*ends)


@orders
def test_an_explicit_fused_is_helped_too(parameter_order):
    recipe = RECIPES["adam"]
    fused = use_fused(recipe(make_parameters(parameter_order), fused=True))
    unfused = recipe(make_parameters(parameter_order), foreach=False)
    assert_same(train(fused, "contiguous", range(4)), train(unfused, "contiguous", range(4)))


@pytest.mark.parametrize("choice", [{"fused": False}, {"foreach": True}, {"foreach": False}], ids=str)
def test_a_users_choice_is_respected(choice):
    optimizer = torch.optim.Adam(make_parameters("contiguous"), **choice)
    before = dict(optimizer.param_groups[0])
    use_fused(optimizer)
    assert not optimizer.param_groups[0]["fused"]
    assert optimizer.param_groups[0] == before


def test_differentiable_steps_are_left_alone():
    optimizer = use_fused(torch.optim.Adam(make_parameters("contiguous"), differentiable=True))
    assert not optimizer.param_groups[0]["fused"]


@pytest.mark.parametrize("cls", [torch.optim.RMSprop, torch.optim.Adadelta, torch.optim.NAdam])
def test_optimizers_without_a_fused_step_are_left_alone(cls):
    optimizer = cls(make_parameters("channels_last"))
    before = dict(optimizer.param_groups[0])
    use_fused(optimizer)
    assert optimizer.param_groups[0] == before
    assert "fused" not in optimizer.param_groups[0]
    plain = cls(make_parameters("channels_last"))
    assert_same(train(optimizer, "contiguous", range(3)), train(plain, "contiguous", range(3)))


def test_state_that_lies_elsewhere_keeps_the_plain_step():
    """Adagrad counts steps on the processor, wherever its parameters are: no fused step takes that."""
    optimizer = torch.optim.Adagrad(make_parameters("contiguous"))
    for state in optimizer.state.values():
        state["step"] = state["step"].to("meta")
    assert not use_fused(optimizer).param_groups[0]["fused"]
    assert use_fused(torch.optim.Adagrad(make_parameters("contiguous"))).param_groups[0]["fused"]


def test_complex_parameters_keep_the_plain_step():
    parameter = torch.nn.Parameter(torch.zeros(2, dtype=torch.complex64))
    optimizer = use_fused(torch.optim.SGD([parameter], lr=0.1))
    assert not optimizer.param_groups[0]["fused"]


def test_every_group_is_switched():
    one, other = make_parameters("contiguous")
    optimizer = use_fused(torch.optim.Adam([{"params": [one]}, {"params": [other], "lr": 0.5}]))
    assert [group["fused"] for group in optimizer.param_groups] == [True, True]
    assert optimizer.param_groups[1]["lr"] == 0.5


def test_parameters_without_a_gradient_stay_where_they_are():
    parameters = make_parameters("channels_last")
    optimizer = use_fused(torch.optim.Adam(parameters, lr=0.1))
    before = parameters[1].detach().clone()
    parameters[0].grad = torch.ones(SHAPE)
    optimizer.step()
    assert torch.equal(parameters[1], before)
    assert parameters[1].grad is None


def test_like_parameter_copies_only_where_the_order_differs():
    parameter = make_parameters("channels_last")[0]
    same, other = torch.rand_like(parameter), torch.rand(SHAPE)
    assert like_parameter(same, parameter) is same
    aligned = like_parameter(other, parameter)
    assert aligned.stride() == parameter.stride()
    assert torch.equal(aligned, other)
    count = torch.tensor(3.0)
    assert like_parameter(count, parameter) is count
