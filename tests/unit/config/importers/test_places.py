"""Where other programs keep their configuration."""

from __future__ import annotations

from pathlib import Path

from strowger.config.importers import SYSTEMS
from strowger.config.importers.places import usual_places


def test_every_system_has_a_place() -> None:
    """Each system is looked for somewhere, and nothing else is."""
    assert {name for name, _ in usual_places({"HOME": "/h"}, Path("/w"))} == set(SYSTEMS)


def test_variables_move_places() -> None:
    """The variables that those programs heed are heeded."""
    env = {"HOME": "/h", "XDG_CONFIG_HOME": "/c", "CCP_CONFIG_DIR": "/own", "CCPROXY_CONFIG_DIR": "/cc"}
    places = [path for _, path in usual_places(env, Path("/w"))]
    assert Path("/own/config.json") in places
    assert Path("/cc/ccproxy.yaml") in places
    assert Path("/c/ccproxy/config.toml") in places
