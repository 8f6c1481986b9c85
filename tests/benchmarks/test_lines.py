"""The count of lines, and that the files it lists are there."""

from __future__ import annotations

from benchmarks.lines import MECHANISMS, PACKAGE, count_lines, files_of

SOURCE = '''"""What it is

about."""

import os  # why


def path(
    name: str,
) -> str:
    """Say where."""

    # a comment
    text = """kept
    as code"""
    return os.path.join(text, name)
'''


def test_blank_lines_comments_and_docstrings_are_not_counted(tmp_path):
    file = tmp_path / "source.py"
    file.write_text(SOURCE)
    assert count_lines(file) == 7


def test_the_files_of_today_are_there():
    listed = [path for mechanism in MECHANISMS for path in files_of(PACKAGE, f"{mechanism.now} {mechanism.added}")]
    assert len(listed) > len(MECHANISMS)
    assert [path for path in listed if not path.is_file()] == []
    assert len(set(listed)) == len(listed)
