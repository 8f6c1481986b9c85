"""Every private name of another library that the package uses, what for, and the test of what depends on it.

`test_private_names.py` holds this list against the code. The tests run with the newest versions, some of them with the
lowest (`make test-lowest`): a name that goes is found there.
"""

from __future__ import annotations

from typing import NamedTuple

SEEN_IN = {
    "argparse": "Python 3.11.7",
    "datasets": "5.0.0",
    "jsonargparse": "4.53.0",
    "lightning": "2.6.6",
    "mlflow": "3.17.2",
    "optuna": "5.0.0",
    "IPython": "9.7.0",
    "PIL": "12.3.0",
    "torch": "2.14.1",
}
"""The versions that this was last looked at with."""


class PrivateName(NamedTuple):
    """A name, and why it is used.

    Attributes:
        library: Whose it is.
        use: What for.
        test: Runs the behaviour that it serves, below `tests`.
    """

    library: str
    use: str
    test: str


_HELP = "command_line/test_help.py::test_help_of_fit_is_in_reading_order"
_RESUMED = "training/test_resuming.py::test_gradients_that_are_being_accumulated_are_kept"
_STOPPED = "callbacks/test_stopping.py::test_a_training_ends_at_the_next_moment_to_go_on_from"
_YAML = "command_line/test_errors.py::test_invalid_yaml"
_COMPLETED = "command_line/test_completion.py::test_bash_completes_commands_keys_names_and_words"
_RUN = "command_line/test_run_folders.py::test_another_setting_is_written_down_beside_the_first"
_PROFILED = "command_line/test_refused_parts.py::test_a_profiler_that_is_refused_leaves_no_traceback"
_LOST = "sweep/test_storage.py::test_a_lost_trial_is_tried_again_once"
_HEARTBEAT = "sweep/test_storage.py::test_a_heartbeat_survives_an_outage"
_SPACE = "sweep/test_space.py::test_a_first_value_is_one_that_optuna_could_choose"

_PLANES = "data/test_pixel_formats.py::test_colours_in_packed_planes_keep_16_bits"
_GREYS = "data/test_pixel_formats.py::test_greys_with_opacity_keep_16_bits"

PRIVATE_NAMES = {
    "_BatchNorm": PrivateName(
        "torch",
        "the class that batch norm layers of all dimensions share",
        "networks/test_deconvolution.py::test_looking_leaves_running_statistics_alone",
    ),
    "_on_before_step": PrivateName("lightning", "a player's step that the Trainer is not to count", _RESUMED),
    "_on_after_step": PrivateName("lightning", "a player's step that the Trainer is not to count", _RESUMED),
    "_HelpAction": PrivateName("argparse", "help in reading order, and by sections", _HELP),
    "_MultiProcessingLauncher": PrivateName(
        "lightning",
        "how a strategy starts its ranks: by spawning or forking them",
        "command_line/test_refused_parts.py::test_one_line_names_the_key",
    ),
    "_actions": PrivateName("argparse", "a parser's keys: argparse names no way to go through them", _HELP),
    "_Tile": PrivateName(
        "PIL",
        "planes that Pillow's own reader of TIFF takes for something else",
        _PLANES,
    ),
    "_bigtiff": PrivateName("PIL", "planes of TIFF that is written otherwise", _PLANES),
    "_mode": PrivateName("PIL", "greys of 16 bits with opacity, read as four bytes", _GREYS),
    "_repr_png_": PrivateName(
        "IPython",
        "a figure that a notebook shows",
        "python_api/test_fit.py::test_a_picture_is_one_that_a_notebook_shows",
    ),
    "_getframe": PrivateName(
        "argparse",
        "who asks for a class: jsonargparse is given its own path",
        "tracking/test_fit_runs.py::test_what_was_left_to_the_variant_is_recorded_as_what_it_took",
    ),
    "_fingerprint": PrivateName(
        "datasets",
        "what a set is called by in the cache of decoded images",
        "data/test_huggingface.py",
    ),
    "_accelerator_connector": PrivateName(
        "lightning", "whether SLURM is there and may requeue", "reliability/test_slurm_jobs.py"
    ),
    "_active_loop": PrivateName("lightning", "the position in the epoch, for draws", _RESUMED),
    "_batches_that_stepped": PrivateName(
        "lightning",
        "the step whose loss is no number",
        "reliability/test_diverged_trainings.py::test_a_loss_that_is_no_number_ends_the_training_and_names_the_images",
    ),
    "_broadcast_sigterm_tensor": PrivateName("lightning", "ranks that agree on their end themselves", _STOPPED),
    "_signal_connector": PrivateName("lightning", "the end of a training between two steps", _STOPPED),
    "_SubprocessScriptLauncher": PrivateName("lightning", "ranks that this process started", _STOPPED),
    "_checkpoint_connector": PrivateName(
        "lightning",
        "what a checkpoint would hold, refused before the first step",
        "checkpoints/test_readable.py",
    ),
    "_generate_state_key": PrivateName(
        "lightning",
        "the best that goes on under another rhythm of writing",
        "callbacks/test_checkpointing.py",
    ),
    "_datamodule_class": PrivateName("lightning", "whether the data are this package's", _RUN),
    "_dump_config": PrivateName("lightning", "the configuration, written down once", _RUN),
    "_get": PrivateName("lightning", "a setting of the command at hand", _RUN),
    "_instantiate_trainer": PrivateName("lightning", "a Trainer with one's own callbacks before the user's", _RUN),
    "_subcommand_parsers": PrivateName("lightning", "the parser of each command", _COMPLETED),
    "_output_file": PrivateName("lightning", "what the destructor of a profiler looks for", _PROFILED),
    "_stage": PrivateName("lightning", "what the destructor of a profiler looks for", _PROFILED),
    "_iteration_based_training": PrivateName(
        "lightning", "validation within an epoch", "reliability/test_killed_trainings.py"
    ),
    "_logger_connector": PrivateName("lightning", "whether this step is logged", "training/test_logged_terms.py"),
    "_progress_stopped": PrivateName("lightning", "whether its Rich bar is drawn", "callbacks/test_watching.py"),
    "_set_hparams": PrivateName(
        "lightning",
        "hyperparameters in plain terms",
        "test_hyperparameters.py::test_a_models_hyperparameters_are_plain_and_complete",
    ),
    "_should_accumulate": PrivateName("lightning", "whether a batch's gradient waits for the next one", _RESUMED),
    "_should_skip_check": PrivateName(
        "lightning",
        "early stopping that waits for the last phase",
        "training/test_phases.py::test_early_stopping_waits_for_the_last_phase",
    ),
    "_trainer": PrivateName("lightning", "whether there is a Trainer: to ask for it raises", "models/test_inputs.py"),
    "_metric_objs": PrivateName("mlflow", "the last step of each metric", "tracking/test_tracker.py"),
    "_contains": PrivateName("optuna", "whether a first value is one that could be chosen", _SPACE),
    "_suggest": PrivateName(
        "optuna", "any distribution, by one call", "sweep/test_space.py::test_lists_survive_optuna"
    ),
    "_pop_waiting_trial_id": PrivateName("optuna", "a trial that is begun only once it has a heartbeat", _LOST),
    "optuna.storages._heartbeat.get_heartbeat_thread": PrivateName(
        "optuna", "the thread that gives a worker's signs of life", _HEARTBEAT
    ),
    "_storage": PrivateName("optuna", "a trial that waits again under its own number", _LOST),
    "_trial_id": PrivateName("optuna", "a trial that waits again under its own number", _LOST),
    "_typehint": PrivateName(
        "jsonargparse", "the type of a key, in words", "command_line/test_help.py::test_types_in_words"
    ),
    "jsonargparse._loaders_dumpers": PrivateName("jsonargparse", "YAML that cannot run anything or grow", _YAML),
    "jsonargparse._paths": PrivateName("jsonargparse", "files without an end, refused", _YAML),
    "jsonargparse._typehints": PrivateName("jsonargparse", "which of several faults is told", _YAML),
    "jsonargparse._typehints.ActionTypeHint": PrivateName(
        "jsonargparse", "keys with a type", "command_line/test_help.py::test_types_in_words"
    ),
    "jsonargparse._typehints.type_to_str": PrivateName(
        "jsonargparse", "the type of a key, in words", "command_line/test_help.py::test_types_in_words"
    ),
    "jsonargparse._parameter_resolvers": PrivateName(
        "jsonargparse",
        "options that a class hands on to a base of another module",
        "test_hyperparameters.py::test_the_class_and_how_to_build_it_are_kept",
    ),
}
