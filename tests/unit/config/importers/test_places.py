"""Where other programs keep their configuration."""

from __future__ import annotations

from pathlib import Path

from strowger.config.importers import SYSTEMS
from strowger.config.importers.places import usual_places


def test_every_system_has_a_place() -> None:
    """Each system is looked for somewhere, and nothing else is."""
    assert {name for name, _ in usual_places({"HOME": "/h"}, Path("/w"))} == set(SYSTEMS)
