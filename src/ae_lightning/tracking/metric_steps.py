"""At which step each value of a metric is logged: once a step, and the newest value has the last word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ae_lightning.tracking.keys import valid_key

if TYPE_CHECKING:
    from mlflow.entities import Metric

SYSTEM_PREFIX = "system/"
TEST_PREFIX = "test/"
_EPOCH = "epoch"


class MetricSteps:
    """Knows what MLflow has of a run, and gives what is to be logged a step.

    The measures of the test split are logged at step 0, since MLflow draws a bar with its value where that is the only
    step, and else a dot: the epoch that was judged is a tag.

    Args:
        known: The last value of each metric that MLflow has of the run.
        is_guest: Whether the run is judged once more, and not trained: its steps begin at 0 again, and yet what is
            logged has the last word, as MLflow takes the value of the last step, and of that the newest, for a
            metric's.
    """

    def __init__(self, known: Iterable[Metric] = (), *, is_guest: bool = False) -> None:
        self._known = {metric.key: (int(metric.step), float(metric.value)) for metric in known}
        self._is_guest = is_guest

    @property
    def next_system_step(self) -> int:
        """Where samples of the machine's load go on."""
        return 1 + max((step for key, (step, _) in self._known.items() if key.startswith(SYSTEM_PREFIX)), default=-1)

    def to_log(self, metrics: Mapping[str, float], step: int) -> list[tuple[str, float, int]]:
        """Return key, value and step of what MLflow is to get.

        A training that is gone on with repeats the steps since its last checkpoint, and maybe its test: what MLflow
        has of them is left out.

        Args:
            metrics: By name.
            step: The step that they come with.
        """
        named = {valid_key(key): float(value) for key, value in metrics.items()}
        if self._is_guest or any(key.startswith(TEST_PREFIX) for key in named):
            # Lightning adds that of this process, which is not the one that is judged.
            named.pop(_EPOCH, None)
        placed = ((key, value, self._step_of(key, value, step)) for key, value in named.items())
        points = [(key, value, at) for key, value, at in placed if at is not None]
        if _EPOCH in named:
            # It comes with all that is logged at a step; where it is there twice, MLflow draws curves over it wrongly.
            self._known[_EPOCH] = (max(step, self._known.get(_EPOCH, (-1, 0.0))[0]), named[_EPOCH])
        return points

    def _step_of(self, key: str, value: float, step: int) -> int | None:
        known_step, known_value = self._known.get(key, (-1, None))
        if key.startswith(TEST_PREFIX):
            # Earlier versions logged them at the step of the training.
            return None if value == known_value and not self._is_guest else max(0, known_step)
        if self._is_guest:
            return max(step, known_step)
        return step if step > known_step else None
