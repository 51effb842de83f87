"""Processes that left their number somewhere."""

from __future__ import annotations

import os
import sys

import pytest

from strowger.config.processes import is_running, is_the_same, process_start

FREE = 2**22 + 1  # no system gives out such numbers


def test_our_own_is_there() -> None:
    """And nobody else with its number."""
    assert is_running(os.getpid())
    assert is_the_same(os.getpid(), process_start(os.getpid()))
    assert is_the_same(os.getpid(), None), "nobody wrote down when it began"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system does not tell when a process began")
def test_a_number_is_given_out_again() -> None:
    """Then another process has it, which began at another time."""
    assert not is_the_same(os.getpid(), "another time")


@pytest.mark.parametrize("pid", [0, -1, FREE, 2**70])
def test_numbers_of_nobody(pid: int) -> None:
    """Whatever stands in a file."""
    assert not is_running(pid)
    assert not is_the_same(pid, None)


def test_somebody_elses_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has got the number of a process that is gone."""

    def kill(_: int, __: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    assert not is_running(1)
