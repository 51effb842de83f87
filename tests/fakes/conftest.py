"""Fakes are asyncio programs."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The loop that aiohttp needs."""
    return "asyncio"
