"""What is kept of a data set: exact, shared by processes, and never in the way."""

from __future__ import annotations

import io
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from ae_lightning.judging import cache as cache_module
from ae_lightning.judging.cache import Cache, fingerprint


def refuse() -> dict[str, np.ndarray]:
    raise AssertionError("computed though it was kept")


ARRAYS = {"a/b": np.arange(6).reshape(2, 3), "seconds": np.array(0.1)}


def assert_same(found: dict[str, np.ndarray]) -> None:
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)


def test_what_was_computed_is_read_by_another_process(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    assert_same(Cache(folder).get("key", lambda: dict(ARRAYS)))
    assert_same(Cache(folder).get("key", refuse))
    assert [path.name for path in folder.iterdir()] == ["key.npz"]


def test_without_a_folder_memory_serves() -> None:
    kept = Cache()
    kept.get("key", lambda: dict(ARRAYS))
    assert_same(kept.get("key", refuse))


def test_whoever_may_read_the_folder_may_read_what_is_kept(tmp_path: Path) -> None:
    Cache(tmp_path).get("key", lambda: dict(ARRAYS))
    (tmp_path / "plain").touch()
    assert (tmp_path / "key.npz").stat().st_mode == (tmp_path / "plain").stat().st_mode


def altered(**changes: object) -> bytes:
    """A whole archive with other arrays."""
    archive = io.BytesIO()
    np.savez(archive, **{**ARRAYS, **changes})
    return archive.getvalue()


SOUND = altered()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not an archive",
        b"PK\x03\x04 half of one",
        SOUND,
        altered(seconds=np.array(np.nan)),
        altered(seconds=np.array("0.1")),
        altered(seconds=np.array({"an": "object"}, dtype=object)),
        SOUND.replace(b"(2, 3)", b"(9, 9)"),
        SOUND.replace(b"'descr'", b"'dexcr'"),
    ],
)
def test_a_damaged_file_is_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key.npz").write_bytes(content)
    assert_same(Cache(tmp_path).get("key", lambda: dict(ARRAYS)))
    assert_same(Cache(tmp_path).get("key", refuse))


def test_a_file_with_any_byte_altered_or_missing_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "key.npz"
    Cache(tmp_path).get("key", lambda: dict(ARRAYS))
    sound = path.read_bytes()
    for position in range(0, len(sound), 7):
        for content in (sound[:position], sound[:position] + bytes([sound[position] ^ 1]) + sound[position + 1 :]):
            path.write_bytes(content)
            assert_same(Cache(tmp_path).get("key", lambda: dict(ARRAYS)))
            assert path.read_bytes() == sound


def test_a_file_of_another_key_is_no_result_of_this_one(tmp_path: Path) -> None:
    Cache(tmp_path).get("other", lambda: {"seconds": np.array(7.0)})
    (tmp_path / "other.npz").rename(tmp_path / "key.npz")
    assert_same(Cache(tmp_path).get("key", lambda: dict(ARRAYS)))


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key.npz")
    assert_same(Cache(tmp_path).get("key", lambda: dict(ARRAYS)))
    assert_same(Cache(tmp_path).get("key", refuse))


def test_others_read_it_as_an_archive(tmp_path: Path) -> None:
    Cache(tmp_path).get("key", lambda: dict(ARRAYS))
    with np.load(tmp_path / "key.npz") as file:
        assert_same(dict(file))


def test_a_folder_that_cannot_be_written_to_costs_time_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert_same(Cache(tmp_path / "file" / "folder").get("key", lambda: dict(ARRAYS)))


def write_and_read(folder: Path) -> bool:
    large = {"values": np.full(200_000, 7.0)}
    return all(
        (Cache(folder).get("key", lambda: dict(large))["values"] == 7).all()
        and Cache(folder)._written("key", large) is large
        for _ in range(20)
    )


@pytest.mark.slow
def test_eight_processes_share_a_folder(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        assert all(pool.map(write_and_read, [tmp_path] * 8))
    assert [path.name for path in tmp_path.iterdir()] == ["key.npz"]


def test_a_fingerprint_tells_every_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.arange(12, dtype=np.float32)
    changed = images.copy()
    changed[5] += 1e-6
    versions = [
        fingerprint("pca", images, 3),
        fingerprint("pca", images, 4),
        fingerprint("pca", images, None),
        fingerprint("pca", changed, 3),
        fingerprint("pca", images.reshape(3, 4), 3),
        fingerprint("pca", images.astype(np.float64), 3),
        fingerprint("pc", "a", images, 3),
    ]
    assert len(set(versions)) == len(versions)
    assert fingerprint("pca", images[::-1][::-1], 3) == versions[0]
    monkeypatch.setattr(cache_module, "measures_version", lambda: "another")
    assert fingerprint("pca", images, 3) not in versions
