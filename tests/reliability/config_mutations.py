"""What people, editors and scripts do to a configuration: any shipped YAML, altered a little or beyond recognition."""

from __future__ import annotations

import copy
from pathlib import Path

import yaml
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
STUDIES = sorted((ROOT / "sweeps").glob("*.yaml"))

NUMBERS = (0, -1, 1, 7, 2**31, 2**63, -(2**63), 10**400, 0.5, -0.5, 1e-320, 1e308, float("inf"), float("nan"))
WORDS = (
    *("", " ", "null", "no", "1e-3", "0x1f", "12:30", "2020-01-01", "~", "-", "auto", "best", ".", "/", "..", "*"),
    *("VAE", "MLP", "Adam", "os.system", "builtins.eval", "ae_lightning.errors.DataError", "no.such.Class", "Conv.x"),
    *("${oc.env:HOME}", "{}", "%s", "[1, 2", "{a: b", "a: b", "a\nb", "\t", "--model", "é中\U0001f600\u202e", "\ufeff"),
    *("\x00", "\x1b[31m", "x" * 5000, "'", '"', "!!python/name:os.system", "&a", "model", "class_path"),
)
PIECES = (
    *(" ", "\n", "\t", ":", ": ", "-", "- ", "[", "]", "{", "}", "'", '"', "#", "&a ", "*a", "<<: ", "!", "|", ">"),
    *("\x00", "\x85", "\u2028", "\ufeff", "\\", "%YAML 9.9\n", "---\n", "...\n", "? ", "@", "`", ",", "null", "=", "é"),
    *("!!python/object/apply:os.system ['touch ran'] ", "!!binary ", "!!float ", "!!set ", "!unknown "),
)


def junk():
    """Values of every kind and depth, some of them in the shape of a class."""
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from(NUMBERS),
        st.sampled_from(WORDS),
        st.text(max_size=12),
        st.dates(),
        st.binary(max_size=4),
    )
    keys = st.one_of(st.sampled_from(WORDS), st.sampled_from(("class_path", "init_args", "dict_kwargs")), scalars)

    def nested(inner):
        return st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(keys.filter(_is_hashable), inner, max_size=3),
            st.fixed_dictionaries({"class_path": inner}, optional={"init_args": inner, "dict_kwargs": inner}),
        )

    return st.recursive(scalars, nested, max_leaves=6)


def _is_hashable(value):
    return not isinstance(value, list | dict)


@st.composite
def mutated_document(draw, paths, full=()):
    """The text of a YAML of `paths`, or of the plain mappings of `full`, with one to three things wrong with it."""
    path = draw(st.sampled_from(paths))
    document = yaml.safe_load(path.read_text())
    if full:
        document = _overlaid(copy.deepcopy(draw(st.sampled_from(full))), document)
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        document = _altered(draw, document)
    text = yaml.safe_dump(document, allow_unicode=draw(st.booleans()), sort_keys=False)
    if draw(st.integers(0, 7)) == 0:
        text = _scribbled_on(draw, text)
    return text


def _overlaid(below, above):
    """One mapping over another."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{key: _overlaid(below.get(key), value) for key, value in above.items()}}


def _altered(draw, document):
    document = copy.deepcopy(document)
    places = list(_places(document))
    if not places:
        return draw(junk())
    parent, key = draw(st.sampled_from(places))
    kind = draw(st.sampled_from(("replace", "replace", "misspell", "drop", "add", "wrap", "move", "whole")))
    if kind == "replace":
        parent[key] = draw(junk())
    elif kind == "misspell" and isinstance(parent, dict):
        parent[_misspelt(draw, str(key))] = parent.pop(key)
    elif kind == "drop":
        del parent[key]
    elif kind == "add" and isinstance(parent, dict):
        parent[draw(st.sampled_from(WORDS))] = draw(junk())
    elif kind == "wrap":
        parent[key] = draw(st.sampled_from((lambda v: [v], lambda v: {"class_path": v}, lambda v: {key: v}, str)))(
            parent[key]
        )
    elif kind == "move":
        other, place = draw(st.sampled_from(places))
        other[place] = copy.deepcopy(parent[key])
    elif kind == "whole" and draw(st.integers(0, 9)) == 0:
        return draw(junk())
    return document


def _places(value):
    """Every mapping or list within a value with each of its keys or positions."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def _misspelt(draw, key):
    position = draw(st.integers(0, max(0, len(key) - 1)))
    letter = draw(st.sampled_from("aexz_. -"))
    kind = draw(st.sampled_from(("drop", "double", "swap", "other", "case")))
    before, here, after = key[:position], key[position : position + 1], key[position + 1 :]
    return {
        "drop": before + after,
        "double": before + here * 2 + after,
        "swap": before + after[:1] + here + after[1:],
        "other": before + letter + after,
        "case": key.upper(),
    }[kind]


def _scribbled_on(draw, text):
    for _ in range(draw(st.integers(1, 3))):
        position = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 8))
        text = text[:position] + draw(st.sampled_from(PIECES)) + text[position + length :]
    return text
