"""`sample`: what a checkpoint's decoder makes of drawn codes, as pictures or arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ae_lightning.command_line.commands import CommandParser

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ae_lightning.data.foreign import SeenData
    from ae_lightning.models.autoencoder import Autoencoder
    from ae_lightning.samplers.base import Sampler

SUFFIXES = (".npz", ".png", "")
"""Of arrays, of one picture of all samples, and of a folder of a picture each."""


def run(arguments: list[str]) -> int:
    """Draw samples from a checkpoint.

    Args:
        arguments: Of the command line, without the command.

    Returns:
        The exit code.

    Raises:
        UserError: If the checkpoint cannot be read, the samples cannot be drawn, or the output cannot be written.
    """
    options = parser().parse_args(arguments)
    # So that --help need not wait for torch.
    import numpy as np
    from rich.console import Console

    from ae_lightning.callbacks.encoding import numpy_model
    from ae_lightning.checkpoints.data import data_of_checkpoint
    from ae_lightning.checkpoints.loading import load_autoencoder, read_checkpoint
    from ae_lightning.checks import require_at_least, require_seed
    from ae_lightning.command_line.launch import prepare
    from ae_lightning.command_line.predictions import check_output

    prepare()
    output = check_output(options.output, SUFFIXES)
    require_at_least("num", options.num)
    require_seed("seed", options.seed)
    contents = read_checkpoint(options.ckpt_path)
    model = load_autoencoder(options.ckpt_path).eval()
    _require_pictures(model, output)
    data = partial(data_of_checkpoint, contents)
    given = model.classes_in_turn(options.num)
    labels = None if given is None else given.numpy()
    if options.label is not None:
        labels = np.full(options.num, _class_of(options.label, model, data))
    model.sampler = _sampler(options.sampler, model, data, contents.config.get("sampler"))
    latents = model.sampler.draw(options.num, options.seed, labels)
    samples = numpy_model(model).decode(latents, labels)
    columns = model.spec.num_classes if options.label is None and labels is not None else None
    _write(samples, labels, output, columns)
    name, sampler = type(model).__name__, type(model.sampler).__name__
    Console().print(
        f"{options.num:,} samples of {name}, drawn by {sampler}, in {output}",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    return 0


def _require_pictures(model: Autoencoder, output: Path) -> None:
    """Refuse pictures of what is none.

    Raises:
        ConfigError: If the samples are no images of one or three channels in [0, 1].
    """
    from ae_lightning.errors import ConfigError

    spec = model.spec
    is_picture = spec.kind == "image" and spec.shape[0] in (1, 3) and spec.value_range == (0, 1)
    if output.suffix != ".npz" and not is_picture:
        shape = " × ".join(map(str, spec.shape))
        what = "" if spec.value_range == (0, 1) else ", without bounds"
        raise ConfigError(f"output: {output} cannot show {spec.kind}s of {shape} values{what}; give a file .npz")


def _class_of(label: str, model: Autoencoder, open_data: Callable[[], SeenData]) -> int:
    from ae_lightning.data.holding_out import find_class
    from ae_lightning.errors import ConfigError

    if not model.needs_labels:
        raise ConfigError(f"label: {type(model).__name__} is given no classes; --label is for conditional variants")
    data = open_data()
    wanted = int(label) if label.isdecimal() else label
    return find_class(wanted, data.class_names, data.dataset_name, "label")


def _sampler(name: str | None, model: Autoencoder, open_data: Callable[[], SeenData], trained_with: object) -> Sampler:
    """Return the sampler that is asked for, else the one kept, else the one that the training was configured with.

    Args:
        name: Of a class, or its dotted path; None for none.
        model: With the sampler that is kept, if one is.
        open_data: Gives what it was trained on, for what is not kept.
        trained_with: What the training's configuration says.
    """
    from collections.abc import Mapping

    from ae_lightning.callbacks.sampler_fitting import sampler_for
    from ae_lightning.errors import ConfigError, refusal_explained, unknown_name
    from ae_lightning.hyperparameters import class_path
    from ae_lightning.parts import find_parts, import_part
    from ae_lightning.samplers.base import Sampler

    known = find_parts("ae_lightning.samplers", Sampler)
    arguments: Mapping[str, object] = {}
    if name is None:
        if model.sampler.needs_codes or not isinstance(trained_with, Mapping):
            return model.sampler
        name, arguments = str(trained_with["class_path"]), trained_with.get("init_args") or {}
    if name not in known and "." not in name:
        raise ConfigError(unknown_name("sampler", name, known))
    cls = known[name] if name in known else import_part("sampler", name, Sampler)  # type: ignore[type-abstract]
    if class_path(cls) == class_path(type(model.sampler)):
        return model.sampler
    with refusal_explained("sampler"):
        wanted = cls(**arguments)
    wanted.require_takes(model.code_shape, are_indices=model.code_bits() is not None)
    return sampler_for(model, open_data(), wanted, None)


def _write(samples: NDArray[np.float32], labels: NDArray[np.int64] | None, output: Path, columns: int | None) -> None:
    """Write samples.

    Args:
        samples: Shape (N, …).
        labels: Shape (N,), where the model was given any.
        output: A file `.npz` or `.png`, or a folder to make.
        columns: Of one picture of all; None for as many as rows.
    """
    import math

    import numpy as np
    from PIL import Image

    from ae_lightning.command_line.outputs import refusal_of_output
    from ae_lightning.judging.drawing.tiles import compose
    from ae_lightning.whole_files import replacing

    def to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
        return np.asarray(np.rint(values.clip(0, 1) * 255), np.uint8)

    with refusal_of_output("output", output), replacing(output, overwrites=False) as temporary:
        if output.suffix == ".npz":
            arrays = {"x": samples} if labels is None else {"x": samples, "labels": labels}
            with temporary.open("wb") as file:
                np.savez_compressed(file, **arrays)
        elif output.suffix == ".png":
            grid = compose(samples, columns or math.ceil(math.sqrt(len(samples))))
            Image.fromarray(to_bytes(grid)).save(temporary, "PNG")
        else:
            temporary.mkdir()
            width = len(str(len(samples) - 1))
            for number, image in enumerate(to_bytes(samples)):
                suffix = "" if labels is None else f"_class_{labels[number]}"
                pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
                Image.fromarray(pixels).save(temporary / f"{number:0{width}}{suffix}.png")


def parser() -> CommandParser:
    """Return the parser of the command line."""
    made = CommandParser(
        "sample",
        description="Draw codes and write what a checkpoint's decoder makes of them.",
        epilog="Without --sampler the codes are drawn as in the run's own test: by the sampler that is kept beside the "
        "checkpoint. Another one is fitted now, to the data that the checkpoint was trained on.",
    )
    made.add_argument("--ckpt_path", required=True, metavar="FILE", help="the checkpoint, or the weights of `export`")
    made.add_argument(
        "--output",
        required=True,
        metavar="PATH",
        help="what to write, which must not exist yet: a folder of a .png each, NAME.png with all of them in one, or "
        "NAME.npz with the arrays x and, of a conditional variant, labels",
    )
    made.add_argument("--num", type=int, default=64, metavar="N", help="how many samples (default: 64)")
    made.add_argument(
        "--label",
        metavar="CLASS",
        help="name or number of the class that a conditional variant is given (default: one after the other)",
    )
    made.add_argument(
        "--sampler",
        metavar="NAME",
        help="what draws the codes: Prior, GaussianMixture, KernelDensity, TwoStage, or the dotted path of your own",
    )
    made.add_argument("--seed", type=int, default=0, metavar="N", help="fixes the samples (default: 0)")
    return made
