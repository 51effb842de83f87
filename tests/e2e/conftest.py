"""One gateway and its fake vendors for all end-to-end tests of a worker; each test finds them with a clean slate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.crossings import crosses
from tests.e2e.exchange import Exchange, running

__all__ = ["crosses"]


@pytest.fixture(scope="session")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    with running(tmp_path_factory.mktemp("exchange")) as exchange:
        yield exchange


@pytest.fixture
def exchange(_running: Exchange) -> Exchange:
    """The gateway and its vendors, with nothing recorded and nothing scripted."""
    _running.clear()
    return _running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A fresh home for a client."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder
