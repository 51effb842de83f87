"""Who pays for a call, and what it cost."""

from __future__ import annotations

import pytest
from msgspec import Raw

from strowger.auth.credential import Credential
from strowger.config.references import Secret, SecretRef
from strowger.config.schema import ProviderConfig
from strowger.flows.flow import Flow
from strowger.gateway.pricing import Pricing
from strowger.ir.events import Finish, StopReason, Usage
from strowger.providers.base import Provider, build_provider
from strowger.routing.prices import Price, Prices

PRICES = Prices([[Price(model="m", input=1, output=10, tiers={"flex": 0.5}), Price(model="n", input=5, output=5)]])
MILLION = Usage(input=1_000_000, output=0)


def provider(base_url: str = "https://api.example.com/v1", **config: object) -> Provider:
    """A provider of a configuration."""
    table = ProviderConfig(**{"dialect": "openai_chat", "base_url": base_url, **config})  # type: ignore[arg-type]
    return build_provider("work", table, env={})


def ended(**fields: object) -> Flow:
    """A call that is over."""
    begun = {"id": "flow_1", "started": 0.0, "clock": 0.0, "method": "POST", "path": "/", "dialect": "openai_chat"}
    filled = {"provider": "work", "upstream_model": "m", "usage": MILLION, "billing": "metered"}
    return Flow(**{**begun, **filled, **fields})  # type: ignore[arg-type]


def cost(flow: Flow, prices: Prices = PRICES) -> float | None:
    """What it is said to have cost."""
    Pricing(lambda: prices).price(flow)
    return flow.billed


def test_the_model_that_answered_is_paid() -> None:
    """Not the one that was asked for; that one stands in only where an answer names none."""
    assert cost(ended(response_model="n")) == pytest.approx(5)
    assert cost(ended(response_model="")) == pytest.approx(1)
    assert cost(ended(response_model="unheard-of")) is None


def test_the_answers_own_word_comes_first() -> None:
    """A provider that says what a call cost is believed, where it says more than nothing."""
    said = Usage(input=1_000_000, output=0, extras={"cost": Raw(b"0.25")})
    free = Usage(input=1_000_000, output=0, extras={"cost": Raw(b"0")})
    assert cost(ended(usage=said)) == pytest.approx(0.25)
    assert cost(ended(usage=free)) == pytest.approx(1)
    assert cost(ended(usage=free, response_model="unheard-of")) == 0.0


def test_a_tier_of_the_start_or_the_end() -> None:
    """Chat names its tier at the start, Responses at the end."""
    finish = Finish(StopReason.END, extras={"response": Raw(b'{"service_tier":"flex"}')})
    assert cost(ended(tier="flex")) == pytest.approx(0.5)
    assert cost(ended(tier="auto", finish=finish)) == pytest.approx(0.5)


def test_what_nobody_counted_has_no_price() -> None:
    """A call that failed before it was counted, or that nobody answered."""
    assert cost(ended(usage=Usage())) is None
    assert cost(ended(provider="", upstream_model="", usage=Usage())) is None


def test_a_price_of_its_place() -> None:
    """A list may give a price for a provider's name or its host."""
    at_host = Prices([[Price(model="m", input=3, output=3, at=("api.example.com",))]])
    assert cost(ended(places=provider().places), prices=at_host) == pytest.approx(3)
    assert cost(ended(places=provider("https://other.example/v1").places), prices=at_host) is None


def test_free_calls_cost_nothing() -> None:
    """A model on this machine costs nothing, whatever a list says of its name."""
    assert cost(ended(billing="free")) == 0.0


def test_new_lists_hold_at_once() -> None:
    """After other lists have been adopted nothing of the old ones is remembered."""
    pricing = Pricing(lambda: PRICES)
    pricing.price(ended())
    pricing.adopt(Prices([[Price(model="m", input=7, output=7)]]))
    flow = ended()
    pricing.price(flow)
    assert flow.billed == pytest.approx(7)


@pytest.mark.parametrize(
    "config, billing",
    [
        ({}, "metered"),
        ({"base_url": "http://localhost:11434/v1"}, "free"),
        ({"base_url": "http://[::1]:8000/v1"}, "free"),
        ({"base_url": "http://192.168.1.4:8000/v1"}, "metered"),
        ({"base_url": "http://localhost:4000/v1", "billing": "metered"}, "metered"),
        ({"auth": SecretRef("login", "codex")}, "plan"),
        ({"accounts": {"a": SecretRef("env", "A"), "b": SecretRef("login", "kimi")}}, "plan"),
        ({"preset": "zai-coding", "base_url": "https://api.z.ai/api/coding/paas/v4"}, "plan"),
        ({"preset": "zai-coding", "base_url": "https://api.z.ai/api/coding/paas/v4", "billing": "metered"}, "metered"),
    ],
)
def test_who_pays(config: dict[str, object], billing: str) -> None:
    """The user's word, then what is known of the preset, then what credential and address suggest."""
    assert provider(**config).billing == billing  # type: ignore[arg-type]


def test_siblings_are_paid_alike() -> None:
    """A coding plan pays for its calls in the host's other dialect too."""
    coding = ProviderConfig(
        preset="zai-coding",
        dialect="openai_chat",
        base_url="https://api.z.ai/api/coding/paas/v4",
        auth=SecretRef("env", "K"),
    )
    built = build_provider("plan", coding, env={})
    assert [sibling.billing for sibling in built.siblings] == ["plan"]


def test_a_claude_login_is_a_plan() -> None:
    """A subscription's token that a client brings, or that is configured, makes plan traffic of it; a key does not."""
    anthropic = provider("https://api.anthropic.com", dialect="anthropic", auth=SecretRef("client"))
    login = Credential("authorization", Secret("Bearer sk-ant-oat01-abc"), "client")
    key = Credential("x-api-key", Secret("sk-ant-api03-abc"), "client")
    assert anthropic.billing_by((login,)) == "plan"
    assert anthropic.billing_by((key,)) == "metered"
    assert anthropic.billing_by(()) == "metered"
