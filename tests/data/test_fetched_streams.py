"""Streams at an address: each file is fetched when it is needed, once, and kept within bounds."""

from __future__ import annotations

import multiprocessing
import shutil
import sys
import threading
import time
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest
import torch
from fsspec.implementations.local import LocalFileSystem

from ae_lightning.data import DataModule
from ae_lightning.data.store import fetching
from ae_lightning.errors import ConfigError, DataError
from stored_digits import store

NUM_SHARDS = 21


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Digits in files of two blocks each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ae_lightning.data.store.arrays.SHARD_BYTES", 4096)
        stored = store(tmp_path_factory.mktemp("stored") / "digits")
    assert len(list((Path(stored.path) / "train").glob("x-*.npy"))) == NUM_SHARDS
    return stored


class Handler(SimpleHTTPRequestHandler):
    """Counts what is asked for."""

    def do_GET(self):
        self.server.asked[self.path] += 1
        super().do_GET()

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def server(digits, tmp_path):
    """Digits over HTTP, of a copy that may be damaged; `asked` counts the requests of each file."""
    shutil.copytree(digits.path, tmp_path / "served/digits")
    found = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "served")))
    found.asked = Counter()
    found.address = f"http://127.0.0.1:{found.server_port}/digits"
    found.folder = tmp_path / "served/digits"
    threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def opened(server, tmp_path):
    """The data module of what is served, anew at each call."""

    def at(**settings):
        settings = {"path": server.address, "cache": str(tmp_path / "cache"), **settings}
        return DataModule("stream", **settings)

    return at


def epoch(data):
    return [(batch.x, batch.indices) for batch in data.train_dataloader()]


def require_same(one, other):
    assert len(one) == len(other)
    for (x, indices), (expected_x, expected_indices) in zip(one, other, strict=True):
        assert torch.equal(x, expected_x)
        assert torch.equal(indices, expected_indices)


def kept_files(tmp_path):
    found = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert all(path.suffix == ".npy" for path in found)
    return found


def test_training_sees_what_it_sees_on_disk_and_fetches_each_file_once(digits, server, opened, tmp_path):
    data = opened()
    require_same(epoch(data), epoch(digits))
    require_same(epoch(data), epoch(digits))
    assert torch.equal(data.split("test").x, digits.split("test").x)
    assert list(data.split("val").keys) == list(digits.split("val").keys)
    asked = {path for path in server.asked if "/train/x-" in path}
    assert len(asked) == NUM_SHARDS
    assert set(server.asked.values()) == {1}
    server.asked.clear()
    require_same(epoch(opened()), epoch(digits))
    assert server.asked == {"/digits/stream.json": 1}


def test_what_comes_next_is_fetched_while_a_window_is_trained_on(server, opened):
    batches = iter(opened().train_dataloader())
    next(batches)
    deadline = time.monotonic() + 10
    while sum("/x-" in path for path in server.asked) < 6:  # a window has five blocks, at most
        assert time.monotonic() < deadline
        time.sleep(0.01)
    batches.close()


def test_another_file_system(digits, tmp_path):
    memory = fsspec.filesystem("memory")
    memory.put(digits.path, "/bucket/digits", recursive=True)
    data = DataModule("stream", path="memory://bucket/digits", cache=str(tmp_path / "cache"))
    require_same(epoch(data), epoch(digits))
    assert data.dataset_name == "digits"


@pytest.mark.parametrize("altered", [False, True])
def test_what_is_kept_and_damaged_is_fetched_again(digits, server, opened, tmp_path, altered):
    epoch(opened())
    server.asked.clear()
    (path,) = [path for path in kept_files(tmp_path) if path.match("train/x-00003.npy")]
    content = path.read_bytes()
    path.write_bytes(content[:-1] + (bytes([content[-1] ^ 1]) if altered else b""))
    require_same(epoch(opened()), epoch(digits))
    assert server.asked == {"/digits/stream.json": 1, "/digits/train/x-00003.npy": 1}


def test_the_cache_is_bounded(digits, opened, tmp_path):
    room = 3 * (tmp_path / "served/digits/train/x-00000.npy").stat().st_size
    data = opened(cache_gib=room / 2**30)
    with pytest.warns(UserWarning, match=r"data\.cache_gib: the train split has .* fetched again in each epoch"):
        data.setup("fit")
    require_same(epoch(data), epoch(digits))
    assert 0 < sum(path.stat().st_size for path in kept_files(tmp_path)) <= room


def test_other_data_at_the_same_address_are_seen(server, opened, tmp_path):
    first = epoch(opened())
    shutil.rmtree(server.folder)
    other = store(server.folder, split_seed=1)
    require_same(epoch(opened()), epoch(other))
    assert not torch.equal(epoch(opened())[0][0], first[0][0])


def read_and_count(settings, barrier, counts):
    fetched = []
    real = LocalFileSystem.get_file
    LocalFileSystem.get_file = lambda *arguments: fetched.append(1) or real(*arguments)
    barrier.wait()
    num_batches = len(epoch(DataModule(**settings)))
    counts.put((num_batches, len(fetched)))


def test_of_two_processes_at_once_one_fetches_a_file(digits, tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, counts = context.Barrier(2), context.Queue()
    settings = {"name": "stream", "path": f"file://{digits.path}", "cache": str(tmp_path / "cache")}
    processes = [context.Process(target=read_and_count, args=(settings, barrier, counts)) for _ in range(2)]
    for process in processes:
        process.start()
    (one, of_one), (other, of_other) = (counts.get(timeout=60) for _ in processes)
    assert one == other == 11
    assert of_one + of_other == NUM_SHARDS
    for process in processes:
        process.join()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stream.json", r"^data\.path: there is no http://.*/digits/stream\.json$"),
        ("train/x-00002.npy", r"^data\.path: there is no http://.*/digits/train/x-00002\.npy$"),
    ],
)
def test_what_is_not_there_is_named(server, opened, name, words):
    (server.folder / name).unlink()
    with pytest.raises(DataError, match=words):
        epoch(opened())


def test_what_is_damaged_where_it_comes_from_is_named(server, opened, tmp_path):
    path = server.folder / "train/x-00002.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"/train/x-00002\.npy is damaged; convert the data again"):
        epoch(opened())
    assert not [path for path in kept_files(tmp_path) if path.name == "x-00002.npy" and path.parent.name == "train"]


def test_an_address_that_does_not_answer_is_tried_again_and_named(monkeypatch, opened):
    pauses = []
    monkeypatch.setattr(fetching.time, "sleep", pauses.append)
    with pytest.raises(DataError, match=r"^data\.path: http://127\.0\.0\.1:9/x/stream\.json cannot be fetched \(.+\)$"):
        opened(path="http://127.0.0.1:9/x").setup("fit")
    assert pauses == [1.0, 5.0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"path": "nowhere://x"}, r"nowhere://x cannot be read: .*nowhere"),
        ({"path": "http://me:secret@127.0.0.1/x"}, r"^data\.path: no user or password in an address"),
        ({"cache": None}, r"^data\.cache: null keeps nothing"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(opened, settings, words):
    with pytest.raises(ConfigError, match=words):
        opened(**settings).setup("fit")


def test_a_package_that_is_missing_is_named(opened, monkeypatch):
    """As s3fs is, unless somebody installed it."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ConfigError, match=r"^data\.path: s3://bucket/x cannot be read: Install s3fs"):
        opened(path="s3://bucket/x").setup("fit")


def test_a_cache_that_cannot_be_written_is_named(opened, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match=r"^data\.cache: http://.* cannot be kept in .*/file/streams/"):
        epoch(opened(cache=str(tmp_path / "file")))
