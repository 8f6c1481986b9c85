"""Requests to end, in programs of their own: a signal's effect cannot be tried in the process that runs the tests."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

CODES = [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
PROGRAM = """
import sys, time
from ae_lightning.machine.signals import Interrupted, Requests

requests = Requests(patience=float(sys.argv[1]))
requests.listen()
requests.wait_for_safe_moments(sys.argv[2] == "waits")
try:
    print("ready", flush=True)
    start = time.monotonic()
    while time.monotonic() - start < 60:
        time.sleep(0.01)
        if requests.received and sys.argv[3] == "answers":
            print("answered", flush=True)
            requests.forget()
            time.sleep(2 * requests.patience)
            sys.exit(0)
except Interrupted as end:
    print("ended", flush=True)
    sys.exit(end.exit_code)
"""


@pytest.fixture
def start():
    started = []

    def run(patience, waits, answers, *before):
        command = [*before, sys.executable, "-c", PROGRAM, str(patience), waits, answers]
        program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(program)
        assert program.stdout.readline() == "ready\n"
        return program

    yield run
    for program in started:
        program.kill()
        program.communicate()


@pytest.mark.parametrize(("number", "code"), CODES)
def test_where_nothing_is_waited_for_a_request_takes_effect_at_once(start, number, code):
    program = start(60, "at once", "ignores")
    program.send_signal(number)
    assert program.wait(20) == code


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_request_that_no_safe_moment_answers_takes_effect_when_patience_is_over(start, number, code):
    program = start(0.5, "waits", "ignores")
    program.send_signal(number)
    assert program.wait(20) == code


def test_a_second_request_takes_effect_at_once(start):
    program = start(60, "waits", "ignores")
    program.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(1)
    program.send_signal(signal.SIGINT)
    assert program.wait(20) == 130


def test_a_request_that_was_answered_takes_no_other_effect(start):
    program = start(0.5, "waits", "answers")
    program.send_signal(signal.SIGTERM)
    assert program.wait(20) == 0
    assert program.stdout.read() == "answered\n"


def test_under_nohup_a_closed_terminal_ends_nothing(start):
    program = start(60, "at once", "ignores", "nohup")
    program.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(1)
    program.send_signal(signal.SIGTERM)
    assert program.wait(20) == 143
