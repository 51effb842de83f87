"""What a gateway is started with."""

from __future__ import annotations

import msgspec
import pytest

from strowger.config.schema import Config, Server
from strowger.launcher.setup import Setup, demo_setup, ephemeral
from strowger.providers.base import Provider
from strowger.routing.table import RouteTable


def test_an_ephemeral_gateway_is_on_loopback_alone() -> None:
    """A gateway for one launch listens where nobody else comes, whatever is configured for `serve`."""
    server = Server(bind="0.0.0.0", port=80, allow_external_bind=True, max_body_mb=7)
    own = ephemeral(Setup(Config(server=server))).config.server
    assert own == msgspec.structs.replace(server, bind="127.0.0.1", port=0, allow_external_bind=False)


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
