"""`export`: the weights of a checkpoint in a file that others read without this package, and nothing unpickles."""

from __future__ import annotations

from pathlib import Path

from ae_lightning.command_line.commands import CommandParser
from ae_lightning.file_names import WEIGHTS_SUFFIX


def run(arguments: list[str]) -> int:
    """Export the weights of a checkpoint.

    Args:
        arguments: Of the command line, without the command.

    Returns:
        The exit code.

    Raises:
        UserError: If the checkpoint cannot be read or the file not be written.
    """
    options = parser().parse_args(arguments)
    # So that --help need not wait for torch.
    from rich.console import Console

    from ae_lightning.checkpoints.loading import describe, load_state
    from ae_lightning.checkpoints.weights_file import write_weights
    from ae_lightning.command_line.outputs import refusal_of_output
    from ae_lightning.command_line.predictions import check_output

    given = check_output(options.output, (WEIGHTS_SUFFIX,)) if options.output else None
    state = load_state(options.ckpt_path)
    contents = describe(options.ckpt_path, state)
    output = given or check_output(str(Path(options.ckpt_path).with_suffix(WEIGHTS_SUFFIX)), (WEIGHTS_SUFFIX,))
    with refusal_of_output("output", output):
        write_weights(state, output)
    num_values = sum(tensor.numel() for tensor in state["state_dict"].values())
    name = str(contents.model["class_path"]).rpartition(".")[2]
    Console().print(f"{name}, {num_values:,} values in {output}", highlight=False, soft_wrap=True, markup=False)
    return 0


def parser() -> CommandParser:
    """Return the parser of the command line."""
    made = CommandParser(
        "export",
        description="Write a checkpoint's weights as safetensors, its configuration in the file's metadata.",
        epilog="test, validate and predict take the file as their --ckpt_path.",
    )
    made.add_argument("--ckpt_path", required=True, metavar="FILE", help="the checkpoint")
    made.add_argument(
        "--output",
        metavar="FILE",
        help=f"the file to write, which must not exist yet (default: beside it, {WEIGHTS_SUFFIX})",
    )
    return made
