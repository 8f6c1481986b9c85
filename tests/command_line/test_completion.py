"""The script of `completion`, as bash completes by it."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASK = """
source "$1"; shift
words="$*"
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMP_LINE="$words"; COMP_POINT=${#words}
_shtab_ae_lightning ae_lightning "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_bash_completes_commands_keys_names_and_words(bare_workspace, tmp_path):
    pytest.importorskip("shtab")
    outcome = bare_workspace("completion", "bash")
    assert outcome.code == 0, outcome.err
    script = tmp_path / "completion.bash"
    script.write_text(outcome.out)
    assert len(outcome.out) < 100_000

    def completed(*words):
        program = ["bash", "-c", ASK, "bash", str(script), "ae_lightning", *words]
        return set(subprocess.run(program, capture_output=True, text=True, check=True).stdout.split())

    assert {"fit", "init", "sweep", "test"} <= completed("")
    assert completed("fit", "-c", "v") == {"vae", "vanilla"}
    # Other tests define variants of that beginning too.
    assert "VAE" in completed("fit", "--model", "VA")
    assert "VanillaAE" not in completed("fit", "--model", "VA")
    assert {"--model.beta", "--model.penalty"} <= completed("fit", "--model.")
    assert "--model.network.widths" in completed("fit", "--model.network.")
    assert completed("fit", "--data.scaling", "st") == {"standard"}
    assert completed("fit", "--res") == {"--resume"}
    assert completed("sweep", "-c", "n") == {"nightly"}
    assert completed("test", "--ck") == {"--ckpt_path"}


def test_without_the_package_that_writes_it(refuse, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert refuse("completion", "bash") == "completion needs the package shtab: pip install 'ae_lightning[completion]'"
