"""The rules of the house: imports go down only, variants are small and each has a configuration."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
import yaml

import ae_lightning
from ae_lightning.variants import find_variants

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
PACKAGE = "ae_lightning"
FILES = sorted((SOURCE / PACKAGE).rglob("*.py"))
VARIANTS = sorted(path for path in (SOURCE / PACKAGE / "variants").glob("*.py") if path.name != "__init__.py")

GROUND = {
    *(
        "checks",
        "collector",
        "errors",
        "file_names",
        "named_files",
        "parts",
        "plain_text",
        "spec",
        "versions",
        "waiting",
        "whole_files",
        "__init__",
    ),
}
"""What every file may import."""

LAYERS = {
    "errors": set(),
    "parts": set(),
    "file_names": set(),
    "named_files": set(),
    "plain_text": set(),
    "draws": set(),
    "checks": set(),
    "collector": set(),
    "spec": set(),
    "versions": set(),
    "waiting": set(),
    "whole_files": set(),
    "machine": set(),
    "training": {"hyperparameters"},
    "priors": {"draws"},
    "labels": set(),
    "samplers": {"judging", "labels", "losses"},
    "data": {"draws", "labels", "machine", "training"},
    "networks": set(),
    "losses": set(),
    "judging": {"labels", "machine"},
    "hyperparameters": set(),
    "models": {
        *("data", "draws", "hyperparameters", "judging", "losses", "machine", "networks", "priors", "samplers"),
        "training",
    },
    "variants": {
        *("data", "draws", "losses", "machine", "models", "networks", "training"),
    },
    "checkpoints": {"data", "hyperparameters", "models", "networks", "samplers"},
    "serving": {"checkpoints", "data", "models"},
    "tracking": {"data", "machine"},
    "callbacks": {
        *("models", "checkpoints", "data", "draws", "hyperparameters", "judging", "machine"),
        *("networks", "priors", "samplers", "serving", "tracking", "training", "variants"),
    },
    "testing": {"models", "checkpoints", "data", "draws", "judging", "losses", "networks"},
    "command_line": {
        *("models", "callbacks", "checkpoints", "data", "hyperparameters", "judging", "machine", "networks", "priors"),
        *("samplers", "tracking", "training", "variants"),
    },
    "comparison": {
        *("models", "callbacks", "checkpoints", "command_line", "data", "judging", "machine", "networks"),
        *("tracking", "variants"),
    },
    "python_api": {
        *("callbacks", "checkpoints", "command_line", "comparison", "data", "hyperparameters", "judging", "labels"),
        *("machine", "models", "samplers", "tracking", "training", "variants"),
    },
    "sweep": {"callbacks", "checkpoints", "command_line", "data", "machine", "models", "serving", "tracking"},
}
"""What each part of the package may import of it, beside itself."""

ONLY_IN = {
    "mlflow": {"tracking"},
    "optuna": {"sweep"},
    "pytest": {"testing"},
    "fsspec": {"data"},
}
"""Libraries that only these parts import."""

NOT_IN = {
    "judging": {"lightning", "mlflow", "optuna"},
    "networks": {"lightning", "mlflow", "optuna"},
    "losses": {"lightning", "mlflow", "optuna"},
    "data": {"mlflow", "optuna"},
    "variants": {"mlflow", "optuna"},
}
"""Libraries that these parts do without."""

MAX_LINES, MAX_VARIANT_LINES = 400, 80


def imported(path):
    """Every module that a file imports, anywhere in it, by its full name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where they lead"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def relative(path):
    return path.relative_to(SOURCE / PACKAGE).as_posix()


def part_of(path):
    """The folder of the package that a file is in, or the file's own name at its top."""
    return path.relative_to(SOURCE / PACKAGE).parts[0].removesuffix(".py")


def parts_imported(path):
    """The parts of the package that a file imports."""
    return {name.split(".")[1] for name in imported(path) if name.startswith(f"{PACKAGE}.")}


def libraries_imported(path):
    return {name.split(".")[0] for name in imported(path)} - {PACKAGE}


def num_lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_imports_go_down():
    found = {relative(path): forbidden_parts(path) for path in FILES if part_of(path) in LAYERS}
    assert {path: parts for path, parts in found.items() if parts} == {}


def forbidden_parts(path):
    """The parts of the package that a file imports and must not."""
    # A name of the package's own `__init__` (its version, say) is no part.
    parts = {part for part in parts_imported(path) if (SOURCE / PACKAGE / part).exists() or is_file(part)}
    return parts - LAYERS[part_of(path)] - GROUND - {part_of(path)}


def is_file(part):
    return (SOURCE / PACKAGE / f"{part}.py").exists()


def test_every_layer_exists():
    """A renamed part would be tested by nothing."""
    assert {part_of(path) for path in FILES} >= set(LAYERS)


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_in_its_own_part_only(library):
    importers = {part_of(path) for path in FILES if library in libraries_imported(path)}
    assert importers <= ONLY_IN[library]


@pytest.mark.parametrize("part", NOT_IN)
def test_a_part_does_without_what_is_above_it(part):
    paths = [path for path in FILES if part_of(path) == part]
    assert paths
    assert {relative(path): libraries_imported(path) & NOT_IN[part] for path in paths} == {
        relative(path): set() for path in paths
    }


def test_judging_knows_no_model():
    for path in FILES:
        if part_of(path) == "judging":
            assert not parts_imported(path) & {"models", "variants", "networks", "checkpoints", "callbacks"}


def test_no_variant_imports_another():
    modules = {f"{PACKAGE}.variants.{path.stem}" for path in VARIANTS}
    assert {relative(path): imported(path) & modules for path in VARIANTS if imported(path) & modules} == {}


def test_a_variant_is_one_objective_in_few_lines():
    defined = Counter(cls.__module__ for cls in find_variants().values())
    assert defined == {f"{PACKAGE}.variants.{path.stem}": 1 for path in VARIANTS}
    assert [relative(path) for path in VARIANTS if num_lines(path) >= MAX_VARIANT_LINES] == []


def test_files_stay_short():
    assert [relative(path) for path in FILES if num_lines(path) > MAX_LINES] == []


def test_every_variant_has_one_short_configuration():
    files = sorted((ROOT / "configs").glob("*.yaml"))
    configured = Counter(configured_class(path).rsplit(".", maxsplit=1)[-1] for path in files)
    assert configured == dict.fromkeys(find_variants(), 1)
    assert [path.name for path in files if num_lines(path) > 15] == []


def configured_class(path):
    model = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]
    return model if isinstance(model, str) else model["class_path"]


def test_nothing_prints_but_the_command_line():
    """What a library prints, its user cannot turn off."""
    printers = {
        relative(path)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printers <= {"__main__.py", "cli.py"}


def test_the_package_is_light_to_import():
    """`ae_lightning.__version__` and `--help` must not wait for torch: its names are looked up when they are used."""
    body = ast.parse((SOURCE / PACKAGE / "__init__.py").read_text(encoding="utf-8")).body
    (types,) = [node for node in body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    light = {
        name
        for node in body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert light == {"__future__", "importlib", "sys", "typing"}
    told = {alias.name: node.module for node in types.body for alias in node.names}
    found = {name: f"{PACKAGE}.{module}" for module, names in ae_lightning._MODULES.items() for name in names}
    assert told == found
    assert sorted(found) == sorted(ae_lightning.__all__)
    assert {name for name in found if getattr(ae_lightning, name).__name__ != name} == set()


def test_no_two_test_files_share_a_name():
    """Without packages, pytest imports both under it."""
    names = [path.name for path in Path(__file__).parent.rglob("*.py") if path.name != "conftest.py"]
    assert [name for name in names if names.count(name) > 1] == []
