"""Spans of the calls for a collector, where they are wanted: the extra that makes them, set up as configured.

Must not know what is in a span.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from strowger import __version__
from strowger.auth.sources import resolve
from strowger.config.schema import Config
from strowger.dialects.base import Dialect
from strowger.errors import ConfigError
from strowger.providers.base import Provider
from strowger.telemetry.logs import Log

if TYPE_CHECKING:  # the SDK takes its time, and is an extra
    from strowger.telemetry.genai import Place
    from strowger.telemetry.tracing import Tracing

PROPAGATE = "CLAUDE_CODE_PROPAGATE_TRACEPARENT"
"""With this in its environment Claude Code says to a gateway which trace a request is part of."""


@asynccontextmanager
async def exporting(
    config: Config, env: Mapping[str, str], log: Log, dialects: Mapping[str, Dialect]
) -> AsyncIterator[Tracing | None]:
    """What makes spans, for the length of a block; None where nobody wants any.

    Raises ConfigError where the extra is not installed, and CredentialError.
    """
    wanted = config.tracing
    if not wanted.otlp:
        yield None
        return
    try:
        from strowger.telemetry.tracing import Tracing
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"tracing.otlp needs what is not installed: {error.name}", hint="pip install 'strowger[otel]'"
        ) from None
    headers = {name: (await resolve(reference, env=env)).reveal() for name, reference in wanted.headers.items()}
    tracing = Tracing(
        endpoint=wanted.endpoint,
        headers=headers,
        service=wanted.service,
        version=__version__,
        content=wanted.content,
        dialects=dialects,
        tell=lambda text: log.write("warning", "tracing", {"error": text}),
    )
    try:
        yield tracing
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(tracing.close)


def places(providers: Callable[[], Mapping[str, Provider]]) -> Callable[[str], Place | None]:
    """Where a provider is, by its name, for as long as its address is the same."""
    from strowger.telemetry.genai import place_of

    known: dict[tuple[str, str, str], Place] = {}

    def place(name: str) -> Place | None:
        provider = providers().get(name)
        if provider is None:
            return None
        key = (name, provider.dialect, provider.base_url)
        return known.get(key) or known.setdefault(key, place_of(*key))

    return place


def launch_env(config: Config) -> dict[str, str]:
    """What goes into the environment of a client that is started for this gateway."""
    traced = {PROPAGATE: "1"} if config.tracing.otlp else {}
    return {**traced, **config.launch.env}
