"""Settings with which training and judging take next to no time."""

from __future__ import annotations

JUDGED_QUICKLY = (
    *("--evaluation.measures", "[mse]"),
    *("--evaluation.pictures", "[]"),
    *("--evaluation.pca", "false"),
)
"""Options that judge next to nothing."""

QUICK = (
    *("--trainer.max_epochs", "1"),
    *("--trainer.enable_model_summary", "false"),
    *("--trainer.num_sanity_val_steps", "0"),
    *("--model.network", "Linear"),
    *("--evaluation.every_n_epochs", "0"),
    *JUDGED_QUICKLY,
)
"""Options that train one epoch of a tiny model and judge next to nothing."""
