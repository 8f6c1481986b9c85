"""The allocator's settings, seen from outside: how much memory a process holds after it freed a buffer."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

NUM_BYTES = 256 << 20
PROGRAM = f"""
import psutil, torch
from ae_lightning.machine.speedups import keep_freed_memory
if {{keep}}:
    assert keep_freed_memory()
before = psutil.Process().memory_info().rss
torch.ones({NUM_BYTES}, dtype=torch.uint8)
print(psutil.Process().memory_info().rss - before)
"""


def bytes_held(keep):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(keep=keep)], capture_output=True, text=True, check=True, timeout=120
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are glibc's")
def test_a_freed_buffer_stays_with_the_process():
    assert bytes_held(keep=False) < NUM_BYTES / 2
    assert bytes_held(keep=True) > NUM_BYTES * 0.9
