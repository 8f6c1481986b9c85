"""What tests of the whole program share: a folder to work in, a database made in advance, and quick settings."""

from __future__ import annotations

import gc
import io
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from ae_lightning.collector import forget_what_is_there, resting
from quick_options import QUICK

# Before torch is imported, and for programs started too: on images this small more threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

MLFLOW_VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from all that collecting imports, as a program does."""
    with resting():
        result = yield
    forget_what_is_there()
    return result


@dataclass(frozen=True)
class Outcome:
    """How a call of the command line ended."""

    code: int
    out: str
    err: str


class Workspace:
    """A working directory in which the command line is called in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str | Path) -> Outcome:
        """Run the command line with the arguments."""
        from ae_lightning.__main__ import main

        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
        return Outcome(code, out.getvalue(), err.getvalue())

    def fit(self, *arguments: str | Path) -> Outcome:
        """Train a tiny VAE for an epoch, or whatever the arguments make of it."""
        return self("fit", "--model", "VAE", *QUICK, "--model.latent_dim", "2", *arguments)

    @property
    def uri(self) -> str:
        """The database that is the default of this directory."""
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def client(self):
        """An MLflow client of that database."""
        from mlflow.tracking import MlflowClient

        return MlflowClient(self.uri)

    def runs(self) -> list:
        """Every run of that database, the newest first; none where it does not exist."""
        if not (self.folder / "mlflow.db").exists():
            return []
        from mlflow.entities import ViewType

        client = self.client
        experiments = [found.experiment_id for found in client.search_experiments(view_type=ViewType.ALL)]
        return client.search_runs(experiments, run_view_type=ViewType.ALL, order_by=["attributes.start_time DESC"])

    def run(self):
        """The newest run."""
        return self.runs()[0]

    def artifact(self, run_id: str, name: str) -> Path:
        """The file of an artifact."""
        downloads = self.folder / ".downloads" / run_id
        downloads.mkdir(parents=True, exist_ok=True)
        return Path(self.client.download_artifacts(run_id, name, str(downloads)))

    def artifacts(self, run_id: str, folder: str = "") -> set[str]:
        """The names of a run's artifacts in a folder."""
        return {Path(found.path).name for found in self.client.list_artifacts(run_id, folder)}

    def checkpoint(self, name: str = "best.ckpt") -> Path:
        """A checkpoint of the newest run."""
        return self.folder / "checkpoints" / self.run().info.run_id / name

    def history(self, run_id: str, key: str) -> list:
        """All that was logged of a metric, in the order of its steps."""
        return self.client.get_metric_history(run_id, key)


@contextmanager
def working_in(folder: Path) -> Iterator[Workspace]:
    """Work in a folder, and leave the process as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", list(sys.path))
        for name in MLFLOW_VARIABLES:
            patch.delenv(name, raising=False)
        # Rich would break lines at the width of whatever terminal the tests run in.
        patch.setenv("COLUMNS", "200")
        yield Workspace(folder)
        # Another folder may have a module of the same name.
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None)).startswith(f"{folder}{os.sep}"):
                del sys.modules[name]


@pytest.fixture(scope="session")
def work_in() -> Callable[[Path], object]:
    """Work in a folder that is there."""
    return working_in


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Sums over several threads are rounded in another order: what is compared would depend on the machine."""
    from ae_lightning.testing.training import one_thread

    with one_thread():
        yield


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with nothing in it: its migrations take seconds, a copy of it none."""
    from ae_lightning.tracking import connect

    folder = tmp_path_factory.mktemp("store")
    try:
        connect(f"sqlite:///{folder / 'mlflow.db'}")
    except ModuleNotFoundError as error:  # a machine that is lent for the tests of devices may lack it
        pytest.skip(str(error))
    # Now MLflow stays too. To look through it after every trial of a sweep takes half as long as the trial.
    gc.collect()
    forget_what_is_there()
    return folder / "mlflow.db"


@pytest.fixture
def bare_workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty working directory."""
    with working_in(tmp_path) as workspace:
        yield workspace


@pytest.fixture
def workspace(tmp_path: Path, empty_store: Path) -> Iterator[Workspace]:
    """A working directory with an empty database."""
    shutil.copy(empty_store, tmp_path)
    with working_in(tmp_path) as workspace:
        yield workspace


@pytest.fixture(scope="session")
def open_workspace(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Callable[[], object]:
    """Make working directories for runs that the tests of a module share."""

    @contextmanager
    def opened() -> Iterator[Workspace]:
        folder = tmp_path_factory.mktemp("workspace")
        shutil.copy(empty_store, folder)
        with working_in(folder) as workspace:
            yield workspace

    return opened


@pytest.fixture(scope="session")
def program_environment() -> dict[str, str]:
    """The environment of a program that is started by itself."""
    kept = {name: value for name, value in os.environ.items() if name not in MLFLOW_VARIABLES}
    return {**kept, "COLUMNS": "200"}


@pytest.fixture
def real_data() -> Path:
    """The folder of real data sets, where the machine has one."""
    place = os.environ.get("AE_LIGHTNING_DATA")
    if not place:
        pytest.skip("AE_LIGHTNING_DATA is not set: no real data on this machine")
    return Path(place)


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium, where the machine has one."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium on this machine")
    quiet = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=["--no-sandbox", "--no-first-run", *quiet])
        yield opened
        opened.close()
