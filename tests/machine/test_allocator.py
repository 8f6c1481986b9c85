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

def bytes_held():
    before = psutil.Process().memory_info().rss
    torch.ones({NUM_BYTES}, dtype=torch.uint8)
    return psutil.Process().memory_info().rss - before

print(bytes_held())
assert keep_freed_memory()
print(bytes_held())
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are glibc's")
def test_a_freed_buffer_stays_with_the_process():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=120)
    given_back, kept = map(int, done.stdout.split())
    assert given_back < NUM_BYTES / 2
    assert kept > NUM_BYTES * 0.9
