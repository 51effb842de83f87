"""`strowger flows diff` and `compare`."""

from __future__ import annotations

from pathlib import Path

import pytest

from strowger.cli import main
from strowger.flows.store import Store
from tests.fakes.flows import call
from tests.integration.cli.conftest import Flows


def test_calls_are_held_against_the_ones_before(flows: Flows) -> None:
    """A window slides over those that pass the filter; two that are the same say so."""
    code, out, _ = flows("diff", "--where", "session:s-1", "-n", "3")
    assert code == 0
    assert out.startswith("--- flow:flow_0000000000000001\n+++ flow:flow_0000000000000002\n@@")
    assert '-      "content": "How late is it?\\n"\n+      "content": "And now?\\n"\n' in out
    assert out.endswith("flow:flow_0000000000000002 and flow:flow_0000000000000003 are identical.\n")
    named = flows("diff", "0000000000000004", "0000000000000001", "--body", "forwarded")[1]
    assert named.startswith("--- flow:flow_0000000000000004\n+++ flow:flow_0000000000000001\n")
    assert '-  "model": "haiku"\n+  "model": "big"\n' in named


def test_a_difference_has_two_ends(flows: Flows) -> None:
    """One call alone is nothing to compare."""
    assert flows("diff", "last")[0] == 2
    code, _, err = flows("diff", "--where", "model:haiku")
    assert (code, err) == (1, "only one call passes the filter\n")
    assert flows("diff", "--where", "model:none")[0] == 1


def test_what_is_not_kept_is_not_identical(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody knows what it was."""
    path = tmp_path / "bare.db"
    store = Store(path, tell=lambda *_: None, bodies="none")
    for _ in range(2):
        store.finished(call())
    store.close()
    assert main.run(("flows", "--file", str(path), "diff")) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("this message is not kept") == 2


def test_a_request_is_held_against_what_was_forwarded(flows: Flows) -> None:
    """The address, the headers, the body, and what got lost."""
    code, out, _ = flows("compare", "0000000000000001", "last")
    assert code == 0
    assert "── URL change — flow_0000000000000001 ──" in out
    assert "- POST /v1/messages?beta=true\n+ POST https://p.example/v1/messages\n" in out
    assert "── Headers — flow_0000000000000001 ──" in out
    assert "- host: 127.0.0.1:4000\n" in out
    assert "── Body diff — flow_0000000000000001 ──" in out
    assert '-  "model": "opus"\n+  "model": "big"\n' in out
    assert "── Lost — flow_0000000000000001 ──" in out
    assert "flow_0000000000000004: request bodies are identical.\n" in out
    assert flows("compare", "--json")[0] == 2
    assert flows("compare", "--models", ",")[0] == 2


def test_a_number_that_there_is_not(flows: Flows) -> None:
    """It is said that something was forwarded, and how often."""
    code, out, err = flows("compare", "0000000000000002", "--number", "7")
    assert (code, out) == (1, "")
    assert "the forwarded request has no number 7; the last one is 1" in err
