"""The defaults that the documentation promises."""

from __future__ import annotations

import msgspec
import pytest

from strowger.config.schema import Config, Match, Preset, RouteConfig


def test_defaults() -> None:
    """Loopback, port 4000, no token; five minutes of silence are allowed, with a sign of life every ten seconds."""
    config = Config()
    assert (config.server.bind, config.server.port, config.server.client_token) == ("127.0.0.1", 4000, None)
    assert config.server.allow_external_bind is False
    assert (config.server.max_body_mb, config.server.max_header_kb) == (64, 64)
    limits = config.limits
    assert (limits.idle_timeout_seconds, limits.heartbeat_seconds, limits.connect_timeout_seconds) == (300, 10, 10)
    assert config.flows.keep == 200
    assert config.log.level == "info"


def test_frozen() -> None:
    """A configuration cannot be changed, only replaced."""
    with pytest.raises(AttributeError):
        Config().server = Config().server  # type: ignore[misc]
    with pytest.raises(TypeError):
        Config().providers["x"] = None  # type: ignore[index]


def test_class_is_written_class() -> None:
    """The condition on the request class is called `class` in the file."""
    assert "class" in {field.encode_name for field in msgspec.structs.fields(Match)}


def test_what_a_route_and_a_preset_need() -> None:
    """A route cannot be without a target, nor a preset without an address."""
    with pytest.raises(TypeError):
        RouteConfig(match=Match())  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Preset(dialect="anthropic")  # type: ignore[call-arg]
