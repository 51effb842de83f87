"""Fresh ids."""

from __future__ import annotations

import os
import threading

import pytest

from strowger.gateway.ids import token


def test_no_two_are_the_same() -> None:
    """However many there are, and whichever thread asks."""
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.extend(token() for _ in range(2000))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == len(found) == 6000
    assert {len(one) for one in found} == {24}
    assert set("".join(found)) == set("0123456789abcdef")


def test_as_long_as_asked_for() -> None:
    """A shorter one is the beginning of a longer one."""
    assert [len(token(digits)) for digits in (16, 24)] == [16, 24]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_has_its_own() -> None:
    """A process that forked does not give out what its parent will."""
    token()
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writes, token().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reads, 100).decode()
    os.close(reads)
    os.close(writes)
    assert len(theirs) == 24
    assert theirs not in {token() for _ in range(300)}
