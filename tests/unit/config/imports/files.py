"""Configurations of other programs, written for the tests of their importers."""

from __future__ import annotations

from pathlib import Path

from strowger.config.importers import Imported, import_file
from strowger.providers.presets import PRESETS

FOLDER = Path(__file__).parent


def imported(name: str, **env: str) -> Imported:
    """What becomes of a file in this folder."""
    return import_file(FOLDER / name, PRESETS, env)
