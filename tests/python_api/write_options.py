"""Writes what `ael.fit` takes by name out of the variants' constructors: `python tests/python_api/write_options.py`."""

from __future__ import annotations

import inspect
from pathlib import Path

import yaml

from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.models.options import AutoencoderOptions
from ae_lightning.named_files import find_file, names
from ae_lightning.python_api import options
from ae_lightning.variants import find_variants

MARKER = "# Written by tests/python_api/write_options.py from here on.\n"


def configured_variants() -> dict[str, type[Autoencoder]]:
    """The variant of each configuration that names one."""
    variants = {}
    for name in names("configuration"):
        model = yaml.safe_load(find_file("configuration", name).read_text()).get("model", {})
        if "class_path" in model:
            variants[name] = find_variants()[model["class_path"]]
    return variants


def own_options(variant: type[Autoencoder]) -> dict[str, str]:
    """The options that a variant has beyond those of all, and how their types are written."""
    return {
        one.name: one.annotation.replace("'", '"')
        for base in variant.__mro__
        if issubclass(base, Autoencoder) and "__init__" in vars(base)
        for one in inspect.signature(base.__init__).parameters.values()
        if one.kind == inspect.Parameter.KEYWORD_ONLY and one.name not in AutoencoderOptions.__annotations__
    }


def written() -> str:
    """The file as it must be."""
    head, marker, _ = Path(options.__file__).read_text().partition(MARKER)
    assert marker, "the marker is gone"
    classes = []
    for name, variant in configured_variants().items():
        fields = "".join(f"\n    {option}: {kind}" for option, kind in own_options(variant).items())
        classes.append(
            f"class {variant.__name__}Options(ModelAndRunOptions, total=False):\n"
            f'    """Of `{name}`, {variant.__name__}."""\n' + (f"{fields}\n" if fields else "")
        )
    return f"{head}{marker}\n\n" + "\n\n".join(classes)


if __name__ == "__main__":
    Path(options.__file__).write_text(written())
