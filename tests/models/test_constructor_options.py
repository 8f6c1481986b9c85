"""What editors and mypy know of the options that constructors hand on."""

from __future__ import annotations

import inspect
from typing import Any, Required, get_args, get_origin, get_type_hints

import pytest

from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.models.latent_cycle import LatentCycle
from ae_lightning.variants import find_variants

MIXINS = (LatentCycle,)
"""What hands on to whatever base stands beside it."""

CONSTRUCTORS = [
    cls
    for cls in dict.fromkeys(base for variant in find_variants().values() for base in variant.__mro__)
    if "__init__" in vars(cls) and issubclass(cls, Autoencoder) and cls not in (Autoencoder, *MIXINS)
]


def own_options(cls: type) -> dict[str, Any]:
    """The options that a class's own constructor names, with their types."""
    if "__init__" not in vars(cls):
        return {}
    hints = get_type_hints(cls.__init__)
    parameters = inspect.signature(cls.__init__).parameters.values()
    return {one.name: hints[one.name] for one in parameters if one.kind == inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("cls", CONSTRUCTORS, ids=lambda cls: cls.__name__)
def test_the_options_that_are_handed_on_are_those_of_the_bases(cls):
    (said,) = get_args(get_type_hints(cls.__init__)["options"])
    bases = [base for base in cls.__mro__[1:] if issubclass(base, Autoencoder)]
    of_bases = {name: kind for base in reversed(bases) for name, kind in own_options(base).items()}
    assert get_type_hints(said) == {name: kind for name, kind in of_bases.items() if name not in own_options(cls)}
    extras = get_type_hints(said, include_extras=True)
    assert [name for name, kind in extras.items() if get_origin(kind) is Required] == ["spec"]
