"""What all that a run says to MLflow has in common: it can wait on a disk, and saying it twice is saying it once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


@dataclass(frozen=True)
class Target:
    """Where writes go.

    Attributes:
        client: Of the store.
        run_id: The run.
        files: Folder with the files that writes speak of.
    """

    client: MlflowClient
    run_id: str
    files: Path


@dataclass(frozen=True)
class MLflowWrite(ABC):
    """Something to be said to MLflow of one run."""

    @property
    def staged(self) -> str:
        """Name of the folder with its files; empty where it has none."""
        return ""

    @abstractmethod
    def deliver(self, target: Target) -> None:
        """Say it; to say it again changes nothing."""

    def places(self, files: Path) -> Set[str]:
        """Name what it sets that another may set anew: there the last one counts.

        Args:
            files: Folder with the files that writes speak of.
        """
        return frozenset()

    def without(self, places: Set[str], files: Path) -> MLflowWrite | None:
        """Return what is left to be said once a later one has set these places; None where nothing is."""
        own = self.places(files)
        return None if own and own <= places else self

    def parts(self) -> Sequence[MLflowWrite]:
        """Return the writes that say the same one by one, so that a bad one spoils no other."""
        return [self]

    @abstractmethod
    def __str__(self) -> str:
        """Name it in a message."""
