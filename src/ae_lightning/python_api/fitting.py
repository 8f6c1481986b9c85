"""`ael.fit`: one training with its judging, as `python -m ae_lightning fit` does it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Unpack, overload

import yaml
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.seed import isolate_rng

from ae_lightning.checks import require_seed
from ae_lightning.command_line.launch import open_cli, prepare
from ae_lightning.data.arrays.given import arrays_given
from ae_lightning.hyperparameters import plain_value
from ae_lightning.machine.resource_errors import resource_errors_explained
from ae_lightning.machine.torch_defaults import torch_defaults
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.python_api import options as named
from ae_lightning.python_api.given_data import GivenData, given_data
from ae_lightning.python_api.given_model import GivenModel, given_model, written_down
from ae_lightning.python_api.result import Result
from ae_lightning.python_api.training import ProgramCLI, interrupts_raised, one_at_a_time
from ae_lightning.samplers.base import Sampler

TRACKER = "ae_lightning.tracking.MLflowTracker"


# fmt: off
@overload
def fit(
    model: Literal["adversarial"], x: Any, y: Any = None, **options: Unpack[named.AdversarialAEOptions]
) -> Result: ...
@overload
def fit(
    model: Literal["contractive"], x: Any, y: Any = None, **options: Unpack[named.ContractiveAEOptions]
) -> Result: ...
@overload
def fit(model: Literal["denoising"], x: Any, y: Any = None, **options: Unpack[named.DenoisingAEOptions]) -> Result: ...
@overload
def fit(model: Literal["double"], x: Any, y: Any = None, **options: Unpack[named.DoubleAEOptions]) -> Result: ...
@overload
def fit(
    model: Literal["double_sample_vae"], x: Any, y: Any = None, **options: Unpack[named.DoubleSampleVAEOptions]
) -> Result: ...
@overload
def fit(model: Literal["sample_vae"], x: Any, y: Any = None, **options: Unpack[named.SampleVAEOptions]) -> Result: ...
@overload
def fit(model: Literal["sparse"], x: Any, y: Any = None, **options: Unpack[named.SparseAEOptions]) -> Result: ...
@overload
def fit(model: Literal["stacked"], x: Any, y: Any = None, **options: Unpack[named.StackedAEOptions]) -> Result: ...
@overload
def fit(model: Literal["vae"], x: Any, y: Any = None, **options: Unpack[named.VAEOptions]) -> Result: ...
@overload
def fit(model: Literal["vanilla"], x: Any, y: Any = None, **options: Unpack[named.VanillaAEOptions]) -> Result: ...
@overload
def fit(model: str | Path, x: Any, y: Any = None, **options: Unpack[named.ModelAndRunOptions]) -> Result: ...
@overload
def fit(model: Autoencoder, x: Any, y: Any = None, **options: Unpack[named.RunOptions]) -> Result: ...
@overload
def fit(model: type[Autoencoder], x: Any, y: Any = None, **options: Any) -> Result: ...
# fmt: on


@one_at_a_time()
@torch_defaults()
def fit(
    model: str | Path | type[Autoencoder] | Autoencoder,
    x: Any,
    y: Any = None,
    *,
    x_test: Any = None,
    y_test: Any = None,
    trainer: named.Settings | None = None,
    data: named.Settings | None = None,
    evaluation: named.Settings | None = None,
    checkpoint: named.Settings | None = None,
    sampler: Sampler | str | named.Settings | None = None,
    tracking: bool | named.Settings = True,
    callbacks: Sequence[Callback] = (),
    seed: int | None = None,
    keep_memory: bool = True,
    compile: bool = False,
    **options: Any,
) -> Result:
    """Train an autoencoder and judge its best checkpoint on the test split, PCA beside it.

    The same is trained, judged and recorded as by `python -m ae_lightning fit`: a run in MLflow with its configuration,
    measures and pictures, and checkpoints in `checkpoints/RUN_ID`. The state of the random generators is left as it is.
    Trainings of several threads follow each other; those of several processes run side by side.

    Args:
        model: The name of a configuration, such as `"vae"`, or its file; a variant, such as `ael.VAE`; or a built
            model, such as `ael.VAE(spec=ael.spec_of(x))`, which is trained in place.
        x: Samples to train on: images of shape (N, H, W), (N, H, W, C) or (N, C, H, W), or vectors (N, D), as an
            array or a tensor. Or `ael.DataModule(...)`, any other LightningDataModule, the name of a source such as
            `"mnist"`, or the `Path` of a folder of images, of an `.npz` or of a table.
        y: Classes of the samples, whole numbers (−1: missing) or words ("": missing), shape (N,). They are for
            measures and pictures; nothing but a conditional variant is trained on them.
        x_test: Samples to judge on. Without them a fifth of `x` is held out.
        y_test: Their classes.
        trainer: Settings below `trainer`, such as `{"max_epochs": 10}`.
        data: Settings below `data`, such as `{"batch_size": 64, "scaling": "standard"}`.
        evaluation: Settings below `evaluation`, such as `{"measures": ["mse"], "pictures": []}`.
        checkpoint: Settings below `checkpoint`.
        sampler: Draws the codes of samples: an object such as `ael.GaussianMixture(5)`, or the class's name.
        tracking: False leaves MLflow out: the run is kept in `runs/NAME-TIME`. A mapping has settings of the tracker,
            such as `{"experiment_name": "faces"}`.
        callbacks: Lightning's, or your own, beside those of every run.
        seed: Fixes every draw, and the weights to begin with but for those of a built model, which takes it on; by
            default that of a built model, else 0.
        keep_memory: On a CPU under glibc, keep freed buffers for the next step: faster, with more memory held.
        compile: Compile encoder and decoder with torch.compile.
        **options: Of the model, such as `latent_dim=8`; what is known depends on the model.

    Returns:
        The trained model with its codes, measures and pictures.

    Raises:
        UserError: If something is wrong that the user can mend; one line says which setting, and what is allowed.
        KeyboardInterrupt: After Ctrl-C; the run is marked as killed.
    """
    prepare()
    chosen, samples = given_model(model, options), given_data(x, y, x_test, y_test, data)
    if seed is None:
        seed = 0 if chosen.built is None else chosen.built.seed
    groups = {"trainer": trainer, "evaluation": evaluation, "checkpoint": checkpoint}
    settings: dict[str, Any] = {
        # YAML knows no numbers of NumPy.
        "seed_everything": int(require_seed("seed", seed)),
        "keep_memory": written_down("keep_memory", keep_memory),
        "compile": written_down("compile", compile),
        "model": chosen.settings,
        "data": samples.settings,
        **{key: written_down(key, value) for key, value in groups.items() if value is not None},
    }
    if sampler is not None:
        settings["sampler"] = written_down("sampler", plain_value("sampler", sampler))
    arguments = written_down("tracking", tracking)
    if arguments is not True:
        logger = False if arguments in (None, False) else {"class_path": TRACKER, "init_args": arguments}
        settings["trainer"] = {"logger": logger, **settings.get("trainer", {})}
    return _run(chosen, samples, settings, callbacks)


def _run(model: GivenModel, samples: GivenData, settings: dict[str, Any], callbacks: Sequence[Callback]) -> Result:
    cli = partial(ProgramCLI, model=model.built, module=samples.module)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "settings.yaml")
        file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        files = [path for path in (model.config, file) if path is not None]
        arguments = ["fit", *(argument for path in files for argument in ("-c", str(path)))]
        with isolate_rng(), interrupts_raised(), resource_errors_explained(), arrays_given(samples.arrays):
            return Result.of_run(open_cli(cli, arguments, callbacks), samples.arrays)
