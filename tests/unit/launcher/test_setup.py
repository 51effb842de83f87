"""What a gateway is started with."""

from __future__ import annotations

import msgspec
import pytest

from strowger.config.layers import AS_STARTED, Loaded
from strowger.config.schema import Config, Proxy, Server
from strowger.launcher.setup import Setup, demo_setup, ephemeral
from strowger.providers.base import Provider
from strowger.routing.table import RouteTable


def test_an_ephemeral_gateway_is_on_loopback_alone() -> None:
    """A gateway for one launch listens where nobody else comes, whatever is configured for `serve`."""
    server = Server(bind="0.0.0.0", port=80, allow_external_bind=True, max_body_mb=7)
    own = ephemeral(Setup(Config(server=server))).config.server
    assert own == msgspec.structs.replace(server, bind="127.0.0.1", port=0, allow_external_bind=False)


def test_an_ephemeral_gateway_listens_where_it_is_told_to() -> None:
    """`[proxy]` has the last word, now and after each reading of the file."""
    config = Config(proxy=Proxy(bind="::1", port=5000, allow_external_bind=True))
    setup = ephemeral(Setup(config, again=lambda _: Loaded(config, {})))
    assert setup.again
    for server in (setup.config.server, setup.again(AS_STARTED).config.server):
        assert (server.bind, server.port, server.allow_external_bind) == ("::1", 5000, True)


@pytest.mark.parametrize(
    "asked, model",
    [
        ("claude-opus-5-5", "demo"),
        ("gpt-5.6", "demo"),
        ("claude-haiku-5-5", "demo-fast"),
        ("demo-fast", "demo-fast"),
        ("demo:demo-fast", "demo-fast"),
    ],
)
def test_the_demo_answers_to_every_name(asked: str, model: str) -> None:
    """Whatever a client asks for, a model of the demo provider answers; for small ones the one that does not think."""
    config = demo_setup().config
    provider = Provider(
        name="demo", dialect="openai_chat", base_url="", url="", models_url="", count_tokens_url="", models=("demo*",)
    )
    (target,) = RouteTable(config, {"demo": provider}).match(asked).targets
    assert (target.provider.name, target.model) == ("demo", model)
