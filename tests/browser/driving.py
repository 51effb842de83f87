"""A headless Chromium, and a gateway beside it, which runs in a thread of its own as the browser is driven here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from msgspec.structs import replace

from strowger.config.schema import Config, Flows, Limits, Responses, Server
from strowger.launcher.setup import demo_setup
from tests.integration.gateway.rig import Rig, gateway

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request

DEADLINE = 100_000
"""Milliseconds that anything may take on a slow machine."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium is installed")
    options = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=options)
        try:
            yield browser
        finally:
            browser.close()


_REFUSED = ("(Bad Request)", "(Forbidden)")


class Seen:
    """What a page did besides showing something."""

    def __init__(self, page: Page, url: str) -> None:
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        self._url = url
        page.on("request", self._requested)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", self._asked)

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((self._url + "/_strowger/", "blob:")):
            self.elsewhere.append(request.url)

    def _asked(self, dialog: Dialog) -> None:
        self.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _said(self, message: ConsoleMessage) -> None:
        refused = message.text.startswith("Failed to load resource") and message.text.endswith(_REFUSED)
        if message.type in {"error", "warning"} and not refused:  # which the page itself tells
            self.complaints.append(message.text)


def demo(flows: Flows) -> Config:
    """Everything is answered by the demo provider."""
    config = demo_setup().config
    return replace(
        config,
        server=Server(port=0, grace_seconds=0.0),
        flows=flows,
        responses=Responses(file=":memory:"),
        limits=Limits(),
    )


class Beside:
    """A gateway that runs beside the test."""

    def __init__(self, portal: BlockingPortal, rig: Rig) -> None:
        self._portal = portal
        self._rig = rig
        self.url = rig.url
        self.token = rig.gateway.access.admin_token

    def ask(self, path: str, body: Any, **headers: str) -> bytes:
        """Make a call, and wait for its end."""
        return self._portal.call(lambda: self._rig.post(path, body, **headers))[2]

    def begin(self, path: str, body: Any, **headers: str) -> None:
        """Make a call, and do not wait."""
        self._portal.start_task_soon(lambda: self._rig.post(path, body, **headers))


@contextmanager
def beside(config: Config, **options: Any) -> Iterator[Beside]:
    """A gateway in a thread; `demo_pace` is the time between two pieces of an answer."""
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(gateway(config, **options)) as rig,
    ):
        yield Beside(portal, rig)
