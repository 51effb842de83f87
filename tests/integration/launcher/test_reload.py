"""A configuration that is written while the gateway runs."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from strowger.client import Admin
from strowger.config.layers import AS_STARTED, Choice, Loaded, load
from strowger.errors import GatewayError
from strowger.launcher import sessions
from strowger.launcher.host import Host, hosted, quiet_log
from strowger.launcher.setup import Setup, demo_setup, ephemeral
from strowger.providers.presets import PRESETS

pytestmark = pytest.mark.anyio

ONE = '[server]\nport = 0\n[providers.one]\ndialect = "openai_chat"\nbase_url = "http://127.0.0.1:1/v1"\n'


def setup_of(file: Path) -> Setup:
    def again(choice: Choice) -> Loaded:
        return load(file, env=os.environ, presets=PRESETS, profile=choice.profile, via=choice.via)

    return Setup(again(AS_STARTED).config, path=file, again=again)


def providers(host: Host) -> list[str]:
    return list(host.gateway.line.routes.providers)


async def until(host: Host, expected: list[str]) -> None:
    with anyio.fail_after(40):
        while providers(host) != expected:  # noqa: ASYNC110 - the gateway has no event for a test to wait on
            await anyio.sleep(0.02)


async def test_the_file_is_followed(tmp_path: Path) -> None:
    """What is written to the file holds soon after, also where an editor replaces it; mistakes change nothing."""
    file = tmp_path / "config.toml"
    file.write_text(ONE)
    setup = setup_of(file)
    async with hosted(setup, env=os.environ, kind="serve", log=quiet_log(setup.config, os.environ)) as host:
        assert providers(host) == ["one"]
        file.write_text(ONE + ONE.partition("[providers")[2].join(("[providers", "")).replace("one", "two"))
        await until(host, ["one", "two"])
        replacement = tmp_path / "draft"
        replacement.write_text(ONE.replace("one", "three"))
        replacement.replace(file)
        await until(host, ["three"])
        file.write_text("[providers\n")
        session = next(s for s in sessions.running(sessions.directory(os.environ)) if s.url == host.url)
        async with Admin(session.url, session.admin_token) as admin:
            with pytest.raises(GatewayError, match="not valid TOML"):
                await admin.reload()
            assert providers(host) == ["three"]
            file.write_text(ONE.replace("port = 0", "port = 1"))
            assert await admin.reload() == ("server",)
        assert providers(host) == ["one"]


async def test_a_launch_whose_profile_has_gone_keeps_nobody_from_reading(tmp_path: Path) -> None:
    """It goes on as it did: its client may be at work, or may have been killed without a word."""
    file = tmp_path / "config.toml"
    file.write_text(ONE + '[profiles.work]\nvia = "one:special"\n')
    setup = setup_of(file)
    async with hosted(setup, env=os.environ, kind="serve", log=quiet_log(setup.config, os.environ)) as host:
        async with Admin(host.url, host.gateway.access.admin_token) as admin:
            launch = await admin.open_launch("client", 1, profile="work")
            before = host.gateway.line.launches[launch.id]
            file.write_text(ONE.replace("one", "two"))
            assert await admin.reload() == ()
            assert providers(host) == ["two"]
            assert host.gateway.line.launches[launch.id] is before
            file.write_text(ONE + '[profiles.work]\nvia = "one:other"\n')
            await admin.reload()
            assert host.gateway.line.launches[launch.id] is not before


async def test_calls_in_flight_keep_their_routes(tmp_path: Path) -> None:
    """A route that a call has found stays as it is: another table takes the old one's place, nothing in it changes."""
    file = tmp_path / "config.toml"
    file.write_text(ONE)
    setup = setup_of(file)
    async with hosted(setup, env=os.environ, kind="serve", log=quiet_log(setup.config, os.environ)) as host:
        before = host.gateway.line.routes
        route = before.match("any-model")
        file.write_text(ONE.replace("one", "two"))
        await host.gateway.settings.reload()
        assert host.gateway.line.routes is not before
        assert before.match("any-model") is route
        assert host.gateway.line.routes.match("any-model").targets[0].provider.name == "two"


async def test_what_nobody_wrote_cannot_be_read_again() -> None:
    """A configuration that no file says: that is told, and it goes on."""
    own = replace(ephemeral(demo_setup()), again=None)
    async with hosted(own, env=os.environ, kind="demo", log=quiet_log(own.config, os.environ)) as host:
        session = next(s for s in sessions.running(sessions.directory(os.environ)) if s.url == host.url)
        async with Admin(session.url, session.admin_token) as admin:
            with pytest.raises(GatewayError, match="no configuration that could be read again"):
                await admin.reload()
