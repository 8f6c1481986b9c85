"""Spellings of a store's address: which are the same, and which of them MLflow sends its token to."""

from __future__ import annotations

from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from sqlalchemy import make_url

from ae_lightning.command_line.report import resume_hint, ui_hint
from ae_lightning.tracking import gets_credentials, is_same_store, is_server, shown_uri


@pytest.fixture
def listener():
    """A server that notes what it is shown, and answers nothing of use."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.shown.append(self.headers.get("Authorization"))
            self.send_error(404)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.shown = []
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    "spelling", ["http://{}", "HTTP://{}", "hTTp://{}/", " http://{}", "\x01HTTP://{}", "ht\ttp://{}", "http:\n//{}"]
)
def test_whom_mlflow_shows_its_token_is_said_to_get_it(listener, monkeypatch, spelling):
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = spelling.format(f"127.0.0.1:{listener.server_port}")
    with suppress(Exception):
        MlflowClient(uri).get_run("0" * 32)
    if "Bearer secret" in listener.shown:
        assert gets_credentials(uri)
    assert is_server(uri)


@pytest.mark.parametrize("uri", ["sqlite:///http.db", "postgresql://http/x", "file:///http", "mlruns", ""])
def test_no_other_store_is_a_server(monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    assert not is_server(uri)
    assert not gets_credentials(uri)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://ml:secret@db/mlflow", "postgresql://db/mlflow"),
        ("postgresql://ml:sec/ret@db/mlflow", "postgresql://db/mlflow"),
        ("postgresql://ml:12/secret@db:5432/mlflow", "postgresql://db:5432/mlflow"),
        ("mysql+pymysql://ml:s?ec#ret@db/mlflow", "mysql+pymysql://db/mlflow"),
        ("postgresql://ml:sec@ret@db/mlflow", "postgresql://db/mlflow"),
        (
            "postgresql://ml:secret@db:5432/mlflow?application_name=a@b",
            "postgresql://db:5432/mlflow?application_name=a@b",
        ),
        ("postgresql://db/mlflow?password=secret", "postgresql://db/mlflow"),
        (
            "postgresql://db/mlflow?sslpassword=secret&PASSWORD=secret&sslmode=require",
            "postgresql://db/mlflow?sslmode=require",
        ),
        ("postgresql://db/mlflow?sslmode=require&password=se#cret", "postgresql://db/mlflow?sslmode=require"),
        ("mssql+pyodbc:///?odbc_connect=UID%3Dml%3BPWD%3Dsecret", "mssql+pyodbc:///"),
        ("https://ada:secret@host/mlflow", "https://host/mlflow"),
        ("https://ada:sec/ret@host/mlflow", "https://host/mlflow"),
        (
            "no http://ada:sec/ret@host and no postgresql://ml:s/ecret@db either",
            "no http://host and no postgresql://db either",
        ),
    ],
)
def test_no_message_shows_what_may_be_a_password(uri, shown):
    assert shown_uri(uri) == shown


@pytest.mark.parametrize(
    "uri",
    [
        *("http://host:5000/team@x", "HTTPS://host/a:b@x", "http://[::1]:5000/team@x", "http://host:5000/?at=a@b"),
        *(
            "sqlite:///mlflow.db",
            "sqlite:////home/a:b@c/mlflow.db",
            "postgresql://db:5432/mlflow",
            "models:/digits@best",
        ),
        "http://host:5000 did not answer ada@host",
    ],
)
def test_what_is_no_password_is_shown(uri):
    assert shown_uri(uri) == uri


@pytest.mark.parametrize(
    "uri", ["postgresql://ml:se/c?r#et@db/mlflow", "postgresql+psycopg2://ml:5432/secret@db:1/x?sslmode=require"]
)
def test_what_sqlalchemy_takes_for_a_password_is_not_shown(uri):
    url, shown = make_url(uri), make_url(shown_uri(uri))
    assert url.password not in shown_uri(uri)
    assert (shown.username, shown.password) == (None, None)
    assert (shown.host, shown.port, shown.database, shown.query) == (url.host, url.port, url.database, url.query)


@pytest.mark.parametrize(
    ("uri", "other"),
    [
        ("http://host", "HTTP://HOST:80/"),
        ("https://host/mlflow", "https://ada:secret@host.:443/mlflow/"),
        ("http://[::1]:5000", "http://[0:0:0:0:0:0:0:1]:5000"),
        ("http://[2001:DB8::1]", "http://[2001:db8:0::0:1]:80"),
        ("postgresql://host/db", "postgresql+psycopg://ada@host:5432/db"),
        ("sqlite:///mlflow.db", "sqlite:///./mlflow.db"),
        ("http://[::1", "http://[::1"),
        ("postgresql://db/mlflow?sslmode=require", "postgresql://ml:pa/s?s@db/mlflow?password=x&sslmode=require"),
    ],
)
def test_spellings_of_one_store(uri, other):
    assert is_same_store(uri, other)
    assert is_same_store(other, uri)


@pytest.mark.parametrize(
    ("uri", "other"),
    [
        ("http://host", "https://host"),
        ("http://host", "http://host:8080"),
        ("http://host", "http://host@evil"),
        ("http://host", "http://host.evil"),
        ("http://host/a", "http://host/b"),
        ("http://host/a", "http://host/A"),
        ("http://[::1]", "http://[::2]"),
        ("postgresql://host/db?options=a", "postgresql://host/db?options=b"),
        ("sqlite:///a.db", "sqlite:///b.db"),
        ("http://[::1", "http://[::2"),
        ("http://host:port", "http://host"),
    ],
)
def test_stores_that_are_two(uri, other):
    assert not is_same_store(uri, other)
    assert not is_same_store(other, uri)


def test_hints_take_a_spelling_for_what_it_is(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert resume_hint("HTTP://host:5000/", "0123") == "fit --resume 0123"
    page = "HTTP://host:5000/#/experiments/1/runs/2?workflowType=machine_learning"
    assert ui_hint("HTTP://host:5000/", "1", "2").endswith(
        f"`python -m ae_lightning ui` shows all runs, {page} this one"
    )
