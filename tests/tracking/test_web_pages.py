"""`ui`, and the pages of MLflow's that links lead to."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import zlib
from base64 import b64decode

import pytest

from ae_lightning.tracking import MLflowTracker
from ae_lightning.tracking.shared_view import VIEW_TAG, shared_view
from quick_options import QUICK


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def refusal(workspace, *arguments):
    outcome = workspace("ui", *arguments)
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    return line


def test_without_runs_nothing_is_served(bare_workspace):
    assert "there are no runs yet: mlflow.db is not there" in refusal(bare_workspace, "--port", free_port())
    assert list(bare_workspace.folder.iterdir()) == []


def test_a_database_without_runs_is_told_from_one_with_some(workspace):
    assert "has no runs yet" in refusal(workspace, "--port", free_port())


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_what_is_no_port_is_refused(workspace, port):
    assert "from 1 to 65535" in refusal(workspace, f"--port={port}")


def test_a_port_that_is_taken_is_named_with_another(tracker, workspace):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"--port {port + 1} takes another" in refusal(workspace, "--port", str(port))


@pytest.mark.slow
def test_of_a_server_the_page_is_named_and_nothing_started(server, workspace):
    tracker = MLflowTracker(experiment_name="served", tracking_uri=server.uri, system_metrics=False)
    tracker.open()
    tracker.set_tags({"ae_lightning.variant": "VAE"})
    tracker.finalize()
    outcome = workspace("ui", "--tracking_uri", server.uri, "--experiment", "served")
    assert outcome.code == 0, outcome.err
    (line,) = outcome.out.splitlines()
    assert line.startswith(f"served: {server.uri}/#/experiments/{tracker.experiment_id}/runs?workflowType=")
    assert line.endswith("&viewStateShareKey=ae_lightning")


def test_an_experiment_gets_the_view_with_its_first_run_and_keeps_it(tracker, workspace):
    (experiment,) = [found for found in workspace.client.search_experiments() if found.name == "ae_lightning"]
    kept = json.loads(experiment.tags[VIEW_TAG])
    state = json.loads(zlib.decompress(b64decode(kept["state"].removeprefix("deflate;"))))
    assert kept["name"] == "Main measures"
    assert "metrics.`test/mse`" in state["selectedColumns"]
    assert len(shared_view()) < 5000, "longer tags are refused by older databases"


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_a_terminal_that_is_closed_ends_the_server_too(tracker, workspace, program_environment):
    tracker.set_tags({"ae_lightning.variant": "VAE"})
    tracker.finalize()
    port = free_port()
    # No proxy has a way to this machine's own addresses.
    environment = {**program_environment, "http_proxy": "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}
    command = [sys.executable, "-m", "ae_lightning", "ui", "--port", str(port)]
    program = subprocess.Popen(command, cwd=workspace.folder, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout.readline().startswith("ae_lightning: http://127.0.0.1:")
        assert listens(port)
        program.send_signal(signal.SIGHUP)
        program.send_signal(signal.SIGHUP)
        assert program.wait(60) == 129
    finally:
        program.kill()
        program.communicate()
    assert not listens(port)


@pytest.mark.slow
def test_the_links_open_on_the_measures(workspace, browser, program_environment):
    judged = ("--evaluation.measures", "[mse,kmeans]", "--evaluation.pictures", "[reconstructions]")
    outcomes = [workspace("fit", "--model", variant, *QUICK, *judged) for variant in ("VAE", "VanillaAE")]
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes
    port = free_port()
    command = [sys.executable, "-m", "ae_lightning", "ui", "--port", str(port)]
    program = subprocess.Popen(
        command, cwd=workspace.folder, env=program_environment, stdout=subprocess.PIPE, text=True
    )
    try:
        name, _, link = program.stdout.readline().strip().partition(": ")
        assert name == "digits"
        values = [run.data.metrics["test/kmeans_accuracy"] for run in workspace.runs()]
        page = browser.new_page(viewport={"width": 1600, "height": 1200})
        page.set_default_timeout(120_000)
        page.goto(link)
        bars = page.locator(".bartext")
        bars.nth(3).wait_for()
        assert {f"{value:.2f}" for value in values} <= set(bars.all_text_contents())
        assert page.get_by_text("Reconstruct: mse").count() == 1
        page.goto(re.search(r"http://\S+", outcomes[0].out)[0].replace(":5000", f":{port}"))
        page.get_by_text("On the test split").first.wait_for()
    finally:
        program.send_signal(signal.SIGINT)
        assert program.wait(60) == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the server has ended too"
