"""docs/reference/clients.md is about the clients that scripts/clients.sh installs, at those versions."""

from __future__ import annotations

import pytest

from strowger.launcher.agents import AGENTS
from tests.e2e.report import BUNDLED, COLUMNS, NAMES, PAGE, SCRIPT, versions


@pytest.mark.parametrize("client", [*NAMES])
def test_every_client_has_a_row(client: str) -> None:
    """A client that can be installed is run, and the page says in which version."""
    rows = [
        line for line in PAGE.read_text().splitlines() if line.startswith(f"| {NAMES[client]} {versions()[client]} |")
    ]
    assert rows
    # Each of its rows says for each dialect of a provider what came of it, and some provider was foreign.
    assert {row.count("|") for row in rows} == {len(COLUMNS) + 3}
    assert any("✓" in row for row in rows)


def test_nobody_is_forgotten() -> None:
    """The script's clients are those of the page, and the Claude Code that comes in a Python package is there too."""
    assert set(versions()) == set(NAMES)
    assert f"| Claude Code {BUNDLED} |" in PAGE.read_text()
    assert all(f"{name}()" in SCRIPT.read_text() for name in NAMES)


@pytest.mark.parametrize("client", [*AGENTS])
def test_the_doctor_knows_what_was_tried(client: str) -> None:
    """It tells who has a newer version, so it has to know the newest that the page is about."""
    assert AGENTS[client].tried == (BUNDLED if client == "claude" else versions()[client])
