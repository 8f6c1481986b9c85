"""The program again and again in one process, its parser built once: that is half of the time of a call."""

from __future__ import annotations

import io
import traceback
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

from ae_lightning.__main__ import main
from ae_lightning.command_line.cli import AutoencoderCLI

PREFIX = "ae_lightning: error: "


class Parsed(NamedTuple):
    """How `fit --print_config` ended; a code of None stands for a traceback, which is then in `err`."""

    code: int | None
    out: str
    err: str

    @property
    def is_refusal(self):
        """Exit code 2 and one line."""
        return self.code == 2 and self.err.startswith(PREFIX) and self.err.endswith("\n") and self.err.count("\n") == 1


def keep_parser(patch):
    """Let every command line of this process share the first one's parser."""
    build = AutoencoderCLI.setup_parser
    kept = {}

    def setup_parser(cli, *arguments):
        if not kept:
            build(cli, *arguments)
            kept.update(vars(cli))
        vars(cli).update({name: value for name, value in kept.items() if "parser" in name or "subcommand" in name})

    patch.setattr(AutoencoderCLI, "setup_parser", setup_parser)


def print_config(*arguments):
    """Run `fit --print_config`."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(["fit", *map(str, arguments), "--print_config"])
        except Exception:
            return Parsed(None, out.getvalue(), traceback.format_exc())
    return Parsed(code, out.getvalue(), err.getvalue())
