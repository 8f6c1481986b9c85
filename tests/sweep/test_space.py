"""The search space: what is chosen, stored, restored and handed to the command line."""

from __future__ import annotations

import optuna
import pytest
from pydantic import TypeAdapter

from ae_lightning.errors import ConfigError
from ae_lightning.sweep.space import Space, arguments, check_continues, check_space, check_values, choose, suggest


def space(**parameters) -> Space:
    from ae_lightning.sweep.space import Parameter

    return TypeAdapter(dict[str, Parameter]).validate_python(parameters)


FILTERS = {"type": "categorical", "choices": [[8, 16], [32], None, "word", 0.5]}


def test_lists_survive_optuna():
    """Optuna stores plain values only: what comes back is the list that went in."""
    found = space(filters=FILTERS, size={"type": "int", "low": 1, "high": 9})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = []
    for _ in range(40):
        trial = study.ask()
        values = suggest(found, trial)
        assert suggest(found, trial) == values, "from what is stored"
        study.tell(trial, 0.0)
        seen.append(repr(values["filters"]))
    assert set(seen) == {repr(choice) for choice in FILTERS["choices"]}


def test_a_condition_decides_whether_a_parameter_exists():
    found = space(
        model={"type": "categorical", "choices": ["VAE", "VanillaAE"]},
        beta={"type": "float", "low": 0, "high": 1, "when": {"model": ["VAE"]}},
        warmup={"type": "categorical", "choices": [1, 2], "when": {"beta_kind": ["x"]}},
    )
    first = choose(found, lambda key, parameter: parameter.edges()[0])
    last = choose(found, lambda key, parameter: parameter.edges()[-1])
    assert first == {"model": "VAE", "beta": 0}
    assert last == {"model": "VanillaAE"}


def test_arguments_name_a_class_before_what_belongs_to_it():
    values = {"model.network.filters": [8, 16], "model.beta": 0.5, "model": "VAE", "data.path": None}
    assert arguments(values) == [
        "--model=VAE",
        "--model.beta=0.5",
        "--data.path=null",
        "--model.network.filters=[8, 16]",
    ]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({}, "no parameter"),
        ({"a": {"type": "int", "low": 3, "high": 2}}, "low 3 is above high 2"),
        ({"a": {"type": "float", "low": 0, "high": 2, "log": True}}, "above 0"),
        ({"a": {"type": "float", "low": 1, "high": 2, "log": True, "step": 0.5}}, "step"),
        ({"a": {"type": "float", "low": 1, "high": 4, "log": True, "step": 1}}, "space.a.step: 1.0 is not allowed"),
        ({"a": {"type": "int", "low": 1, "high": 2, "log": True, "step": 2}}, "space.a.step: 2 is not allowed"),
        ({"a": {"type": "int", "low": 1, "high": 2, "step": 0}}, "step"),
        ({"a": {"type": "int", "low": 1, "high": 2}, "b": {**FILTERS, "when": {"a": [1]}}}, "range"),
        ({"modle": FILTERS, "b": {**FILTERS, "when": {"model": ["word"]}}}, "did you mean 'modle'?"),
        ({"a": FILTERS, "b": {**FILTERS, "when": {"a": ["wrod"]}}}, "'wrod' is none of its choices"),
    ],
)
def test_spaces_that_make_no_sense_are_refused(parameters, said):
    with pytest.raises(ConfigError, match="space") as refusal:
        check_space(space(**parameters))
    assert said in str(refusal.value)


def test_first_trials_must_lie_in_the_space():
    found = space(filters=FILTERS, size={"type": "int", "low": 1, "high": 9})
    check_values("first", {"filters": [32], "size": 9}, found)
    with pytest.raises(ConfigError, match="not in the space"):
        check_values("first", {"size": 10}, found)
    with pytest.raises(ConfigError, match="not in the space"):
        check_values("first", {"filters": [33]}, found)
    with pytest.raises(ConfigError, match="did you mean 'size'"):
        check_values("first", {"sise": 3}, found)


@pytest.mark.parametrize(
    ("parameter", "inside", "outside"),
    [
        ({"type": "int", "low": 1, "high": 9}, [1, 4, 9], [2.5, 2.0, True, "2", None]),
        ({"type": "int", "low": 1, "high": 9, "step": 4}, [1, 5, 9], [2, 4]),
        ({"type": "float", "low": 0, "high": 1}, [0, 0.123, 1], [1.5, float("nan"), True, "0.5", None]),
        ({"type": "float", "low": 0.1, "high": 1, "step": 0.1}, [0.1, 0.3, 0.7000000000000001, 1], [0.25, 0.95]),
        ({"type": "float", "low": 0.001, "high": 1, "log": True}, [0.001, 0.5], [0]),
    ],
)
def test_a_first_value_is_one_that_optuna_could_choose(parameter, inside, outside):
    found = space(a=parameter)
    for value in inside:
        check_values("first", {"a": value}, found)
    for value in outside:
        with pytest.raises(ConfigError, match=r"^first\.a: .* is not in the space"):
            check_values("first", {"a": value}, found)


@pytest.mark.parametrize(
    ("edited", "is_possible"),
    [
        ({"type": "float", "low": 0.5, "high": 4}, True),
        ({"type": "float", "low": 0.5, "high": 4, "log": True}, False),
        ({"type": "int", "low": 1, "high": 4}, False),
        ({"type": "categorical", "choices": [1, 2]}, False),
        (None, True),
    ],
)
def test_an_edited_space_goes_on_where_optuna_can(edited, is_possible):
    study = optuna.create_study()
    trial = study.ask()
    suggest(space(a={"type": "float", "low": 1, "high": 2}, b=FILTERS), trial)
    study.tell(trial, 0.0)
    now = space(b=FILTERS, **({} if edited is None else {"a": edited}))
    if is_possible:
        check_continues(now, study.trials)
        return
    with pytest.raises(ConfigError, match=r"space\.a: earlier trials"):
        check_continues(now, study.trials)
