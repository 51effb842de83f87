"""Where the monitor hears from: every gateway of this user that runs, found by its pid file, and followed to its end.

Must not know how it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Protocol

import anyio

from strowger.client import Admin
from strowger.errors import GatewayError
from strowger.tui.state import State

# How often it is looked for gateways that are new, and for how many earlier calls each is asked.
LOOK_SECONDS = 1.0
_EARLIER = 200


class Gateway(Protocol):
    """A gateway that runs: where, and the token for its admin API."""

    @property
    def url(self) -> str:
        """Where it is."""
        ...

    @property
    def admin_token(self) -> str:
        """What lets in."""
        ...


Find = Callable[[], Sequence[Gateway]]


class Source:
    """Follows gateways, and tells `state` of what they say. `admins` has those that answer, by their URL."""

    def __init__(self, find: Find, state: State) -> None:
        self._find = find
        self._state = state
        self.admins: dict[str, Admin] = {}
        self._followed: set[str] = set()

    async def run(self) -> None:
        """Until it is cancelled."""
        async with anyio.create_task_group() as tasks:
            while True:
                for gateway in self._find():
                    if gateway.url not in self._followed:
                        self._followed.add(gateway.url)
                        tasks.start_soon(self._follow, gateway)
                await anyio.sleep(LOOK_SECONDS)

    async def _follow(self, gateway: Gateway) -> None:
        """One gateway, until it ends; if its pid file is there still, it is asked again."""
        try:
            async with AsyncExitStack() as stack:
                admin = await stack.enter_async_context(Admin(gateway.url, gateway.admin_token))
                page = await admin.page(limit=_EARLIER)
                self.admins[gateway.url] = admin
                stack.callback(self.admins.pop, gateway.url, None)
                for call in reversed(page.flows):
                    self._state.take(gateway.url, call)
                events = await stack.enter_async_context(aclosing(admin.events()))
                async for event in events:
                    self._state.heard(gateway.url, event.kind, event.data)
        except GatewayError:
            pass  # it has ended, or is just about to; the next look will tell
        finally:
            self._state.gone(gateway.url)
            self._followed.discard(gateway.url)
