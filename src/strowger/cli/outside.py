"""The way out for commands that ask somebody themselves, as a login does.

It goes by the proxy and with the authorities that the configuration names; a mistake elsewhere in it is no hindrance.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from strowger.config.layers import load
from strowger.config.schema import Config
from strowger.errors import ConfigError
from strowger.providers.network import network_of
from strowger.providers.presets import PRESETS
from strowger.upstreams.http import HttpUpstream


@asynccontextmanager
async def outside() -> AsyncIterator[HttpUpstream]:
    """Connections for the length of a block. Raises ConfigError where the way that is named leads nowhere."""
    try:
        network = load(env=os.environ, presets=PRESETS).config.network
    except ConfigError:
        network = Config().network
    async with HttpUpstream(network=await network_of(Config(network=network), os.environ)) as upstream:
        yield upstream
