"""What is refused by MLflow, and what by something between: the one is left out, the other kept and tried again."""

from __future__ import annotations

import json
import warnings
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest
import requests
from mlflow.exceptions import RestException
from mlflow.tracking import MlflowClient
from mlflow.utils.rest_utils import verify_rest_response

from ae_lightning.errors import TrackingError
from ae_lightning.tracking import MLflowTracker, find_run
from ae_lightning.tracking.answers import is_of_something_between, own_code
from ae_lightning.tracking.delivery import RunGoneError, StoreAwayError, require_run
from ae_lightning.tracking.leftover_spools import find_spools
from ae_lightning.tracking.mlflow_writes import Write, files_in, tags_of
from ae_lightning.tracking.spool import Origin, Spool
from proxies import proxy_of
from spool_outages import log_a_bit

pytestmark = pytest.mark.slow

REFUSED = "--refused"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr("ae_lightning.tracking.delivery.SECONDS_BETWEEN_ATTEMPTS", 0.0)


@pytest.fixture
def proxy(server):
    with proxy_of(server.uri) as proxy:
        yield proxy


@contextmanager
def tracking_through(proxy):
    """A tracker whose run is open, through a proxy that hands everything on until then."""
    tracker = MLflowTracker(experiment_name="proxied", tracking_uri=proxy.uri, system_metrics=False)
    tracker.open()
    tracker.begin()
    yield tracker
    tracker.finalize()


def answer(status, body):
    made = requests.Response()
    made.status_code = status
    made._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return made


def error_of(response):
    with pytest.raises(Exception) as raised:  # noqa: PT011
        verify_rest_response(response, "/api/2.0/mlflow/runs/log-batch")
    return raised.value


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (answer(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}), "INVALID_PARAMETER_VALUE"),
        (answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST"}), "RESOURCE_DOES_NOT_EXIST"),
        (answer(404, b"<html>"), ""),
        (answer(400, b""), ""),
        (answer(404, {"message": "Not Found"}), ""),
        (answer(404, {"error_code": 404}), ""),
        (answer(404, {"error_code": None}), ""),
        (answer(409, [1]), ""),
        (answer(200, b"<html>please log in</html>"), ""),
    ],
)
def test_an_answer_is_mlflows_own_where_its_json_has_a_code(response, code):
    assert own_code(error_of(response)) == code
    assert own_code(requests.HTTPError("artifact", response=response)) == code
    assert own_code(requests.HTTPError("artifact")) == ""
    assert own_code(ImportError("boto3")) == ""


@pytest.mark.parametrize(
    ("response", "is_asked_again"),
    [
        (answer(404, b"<html>"), True),
        (answer(404, {"message": "Not Found"}), True),
        (answer(502, b"<html>"), True),
        (answer(200, b"<html>please log in</html>"), True),
        (answer(401, b"<html>"), False),
        (answer(403, b""), False),
        (answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST"}), False),
        (answer(503, {"error_code": "TEMPORARILY_UNAVAILABLE"}), False),
    ],
)
def test_what_is_asked_again_is_what_something_between_answered(response, is_asked_again):
    """Not who does not say who he is: he is told the same again."""
    assert is_of_something_between(error_of(response)) == is_asked_again
    assert is_of_something_between(requests.HTTPError("artifact", response=response)) == is_asked_again
    assert not is_of_something_between(OSError("disk"))


@pytest.mark.filterwarnings("ignore:MLflow at .* is asked again")
@pytest.mark.parametrize("status", [404, 502])
def test_a_start_asks_a_broken_replica_again(server, proxy, workspace, monkeypatch, status):
    """Every request that it makes is answered by one the first time."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    asked = set()

    def first_time(method, path):
        request = method, path.partition("?")[0]
        is_first = request not in asked
        asked.add(request)
        return status if is_first else None

    proxy.refuses = first_time
    name = f"begun behind {status}"
    tracker = MLflowTracker(experiment_name=name, tracking_uri=proxy.uri, system_metrics=False)
    tracker.log_parameters({"a": "1"})
    tracker.log_text("text", "note.txt")
    proxy.refuses = lambda method, path: None
    tracker.begin()
    tracker.finalize()
    assert ("POST", "/api/2.0/mlflow/runs/create") in asked
    client = MlflowClient(server.uri)
    (run,) = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    assert (run.info.status, run.data.params) == ("FINISHED", {"a": "1"})
    assert [found.path for found in client.list_artifacts(run.info.run_id)] == ["note.txt"]
    asked.clear()
    proxy.refuses = first_time
    assert find_run(proxy.uri, run.info.run_id).status == "FINISHED"


def test_a_run_whose_creation_was_not_answered_is_not_created_twice(server, proxy, workspace):
    lost = iter([True])
    proxy.loses = lambda method, path: path.endswith("runs/create") and next(lost, False)
    tracker = MLflowTracker(experiment_name="answer lost", tracking_uri=proxy.uri, system_metrics=False)
    with pytest.warns(UserWarning, match="is asked again: .*502"):
        tracker.open()
    tracker.finalize()
    client = MlflowClient(server.uri)
    (run,) = client.search_runs([client.get_experiment_by_name("answer lost").experiment_id])
    assert (run.info.run_id, run.info.status) == (tracker.run_id, "FINISHED")


def test_an_error_that_has_been_handed_on_keeps_its_code():
    assert own_code(RestException({"error_code": "INVALID_STATE", "message": "no"})) == "INVALID_STATE"


def test_a_proxys_page_says_nothing_of_a_run(server, proxy, workspace):
    with tracking_through(proxy) as tracker:
        client = MlflowClient(proxy.uri)
        proxy.refuses = lambda method, path: 404 if "runs/get" in path else None
        with pytest.raises(StoreAwayError, match="failed with error code 404") as raised:
            require_run(client, tracker.run_id)
        assert not isinstance(raised.value, RunGoneError)
        assert "<html>" not in str(raised.value)
        with pytest.raises(TrackingError, match="failed with error code 404"):
            find_run(proxy.uri, tracker.run_id)
        proxy.refuses = lambda method, path: None
    with pytest.raises(RunGoneError):
        require_run(client, "0" * 32)
    assert find_run(proxy.uri, "0" * 32) is None


@pytest.mark.filterwarnings("ignore:MLflow at", "ignore:MLflow takes everything")
@pytest.mark.parametrize("status", [404, 413])
def test_a_broken_replica_loses_nothing(server, proxy, workspace, status):
    numbers = count()
    with warnings.catch_warnings(record=True) as warned, tracking_through(proxy) as tracker:
        warnings.simplefilter("always")
        proxy.refuses = lambda method, path: status if next(numbers) % 5 == 0 else None
        for start in range(0, 16, 4):
            log_a_bit(tracker, workspace.folder, range(start, start + 4))
            tracker._writer._work()
    assert not [warning for warning in warned if "refuses" in str(warning.message)]
    proxy.refuses = lambda method, path: None
    assert workspace("sync", REFUSED).code == 0
    client = MlflowClient(server.uri)
    assert [point.step for point in client.get_metric_history(tracker.run_id, "loss")] == list(range(16))
    assert client.get_run(tracker.run_id).info.status == "FINISHED"
    assert [found.path for found in client.list_artifacts(tracker.run_id, "notes")] == ["notes/note.txt"]
    assert list((workspace.folder / "mlruns" / "spool").glob("*/*")) == []


@pytest.mark.filterwarnings("ignore:MLflow at", "ignore:MLflow takes everything")
def test_what_a_proxy_never_lets_through_is_kept_until_it_does(server, proxy, workspace):
    with tracking_through(proxy) as tracker:
        proxy.refuses = lambda method, path: 413 if method == "PUT" else None
        log_a_bit(tracker, workspace.folder, range(3))
    client = MlflowClient(server.uri)
    assert client.get_run(tracker.run_id).info.status == "FINISHED"
    assert client.list_artifacts(tracker.run_id) == []
    (line,) = tracker.undelivered
    assert "MLflow took 1 records at no attempt" in line
    assert "`python -m ae_lightning sync --refused` tries them again" in line
    for arguments in (["sync"], ["sync", REFUSED], ["sync", REFUSED]):
        outcome = workspace(*arguments)
        assert outcome.code == 1
        assert f"run {tracker.run_id}: MLflow took 1 records at no attempt" in outcome.out
    proxy.refuses = lambda method, path: None
    assert workspace("sync").code == 1, "it is tried again when somebody says so"
    outcome = workspace("sync", REFUSED)
    assert outcome.code == 0
    assert f"run {tracker.run_id}: 1 records delivered" in outcome.out
    assert [found.path for found in client.list_artifacts(tracker.run_id, "notes")] == ["notes/note.txt"]
    assert tracker.undelivered == []
    assert "nothing waits" in workspace("sync", REFUSED).out


@contextmanager
def without_folder(workspace, run_id, name):
    """Let nothing be written to a folder of a run's artifacts: a file lies in its place."""
    root = Path(workspace.client.get_run(run_id).info.artifact_uri.removeprefix("file://"))
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("")
    yield
    (root / name).unlink()


def spool_of(workspace, run_id, uri=None):
    return Spool.new(workspace.folder / "mlruns" / "spool", Origin(uri or workspace.uri, run_id))


def text(content, name):
    return Write("text", [(name, content)])


def deliver(workspace, run_id, *writes, uri=None):
    """Deliver writes by way of a spool of their own, which is left behind if one of them is refused."""
    with closing(spool_of(workspace, run_id, uri)) as spool:
        spool.append(writes)
        list(spool.deliver(workspace.client if uri is None else MlflowClient(uri)))


def kept(workspace, run_id):
    return {name: workspace.artifact(run_id, f"a/{name}").read_text() for name in workspace.artifacts(run_id, "a")}


@pytest.mark.filterwarnings("ignore:MLflow takes everything")
def test_what_is_newer_is_not_undone_by_trying_again(tracker, workspace):
    with without_folder(workspace, tracker.run_id, "a"):
        deliver(workspace, tracker.run_id, text("old", "a/1"), text("old", "a/2"))
    assert workspace.artifacts(tracker.run_id, "a") == set()
    deliver(workspace, tracker.run_id, text("new", "a/1"))
    assert workspace("sync", REFUSED).code == 0
    assert kept(workspace, tracker.run_id) == {"1": "new", "2": "old"}


@pytest.mark.filterwarnings("ignore:MLflow takes everything")
def test_what_is_older_does_not_replace_what_is_still_refused(tracker, workspace):
    with without_folder(workspace, tracker.run_id, "a"):
        deliver(workspace, tracker.run_id, text("first", "a/1"))
        deliver(workspace, tracker.run_id, text("second", "a/1"))
    assert workspace("sync", REFUSED).code == 0
    assert kept(workspace, tracker.run_id) == {"1": "second"}


@pytest.mark.filterwarnings("ignore:MLflow takes everything")
def test_what_is_newer_counts_however_it_came(tracker, workspace):
    """What the tracker sends while the store answers never waits on disk, and is the newer one all the same."""
    root = workspace.folder / "mlruns" / "spool"
    with without_folder(workspace, tracker.run_id, "a"):
        older = Spool(root.resolve() / f"{tracker.run_id}.1.1", Origin(workspace.uri, tracker.run_id))
        older.append([text("old", "a/1")])
        list(older.deliver(workspace.client))
        older.close()
    assert [spool.num_refused for spool in find_spools(root)] == [1]
    tracker.begin()
    tracker.log_text("new", "a/1")
    tracker.finalize()
    assert find_spools(root) == []
    assert kept(workspace, tracker.run_id) == {"1": "new"}


def test_places_are_what_the_last_one_counts_at(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1").write_text("")
    for write, places in (
        (Write("metrics", [("a", 1.0, 1, 1)]), set()),
        (Write("model", [("key",)], "000001"), set()),
        (Write("status", [("RUNNING", None)]), Write("status", [("FINISHED", 5)]).places),
        (files_in(tmp_path), text("", "a/1").places),
    ):
        assert write.places == places
    parameter = Write("params", [("a", "1", False)])
    assert parameter.places < Write("params", [("a", "3", True), ("b", "2", False)]).places
    assert not parameter.places & tags_of({"a": "3"}).places


@pytest.mark.filterwarnings("ignore:MLflow takes everything")
def test_a_newer_parameter_undoes_itself_alone(server, proxy, workspace):
    """Of several that were refused together, the one that has been said anew is not said again."""
    with tracking_through(proxy) as tracker:
        proxy.refuses = lambda method, path: 404 if path.endswith("log-batch") else None
        tracker.log_parameters({"a": "old", "b": "old"})
    root = workspace.folder / "mlruns" / "spool"
    assert [spool.num_refused for spool in find_spools(root)] == [2]
    proxy.refuses = lambda method, path: None
    deliver(workspace, tracker.run_id, Write("params", [("a", "new", False)]), uri=proxy.uri)
    assert workspace("sync", REFUSED).code == 0
    assert MlflowClient(server.uri).get_run(tracker.run_id).data.params == {"a": "new", "b": "old"}


def test_one_bad_metric_spoils_no_other(tracker, workspace):
    tracker.log_metrics({"good": 1.0, "x" * 300: 1.0, "also good": 2.0}, 0)
    with pytest.warns(UserWarning, match="MLflow refuses 1 metrics"):
        tracker.finalize()
    assert set(workspace.client.get_run(tracker.run_id).data.metrics) == {"good", "also good"}
