"""What a usage comes to, which price fits a model, and what answers say of their own cost."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from strowger.errors import ConfigError
from strowger.ir.events import Usage
from strowger.routing.prices import (
    Price,
    Prices,
    Rates,
    plain_name,
    read_list,
    stated_cost,
    stated_tier,
    tiers_of,
)

OPUS = Price(
    model="claude-opus-9",
    input=4,
    output=20,
    cache_read=0.2,
    cache_write=5,
    cache_write_1h=8,
    search=0.01,
    tiers={"batch": 0.5, "fast": 2, "us": 1.1},
)
SOL = Price(
    model="gpt-9-sol",
    input=2,
    output=10,
    cache_read=0.2,
    long=(Rates(272_000, 4, 15, 0.4), Rates(500_000, 8, 30)),
)


def extras(**members: object) -> dict[str, Raw]:
    """Members of a usage object as they came."""
    return {name: Raw(json.dumps(value).encode()) for name, value in members.items()}


def test_each_token_is_counted_once() -> None:
    """What was read from a cache or written to one is part of the prompt, and is not paid for again as input."""
    usage = Usage(input=1_000_000, output=100_000, cache_read=700_000, cache_write=200_000)
    # 100k fresh at 4, 700k read at 0.2, 200k written at 5, 100k out at 20
    assert OPUS.cost(usage) == pytest.approx(0.4 + 0.14 + 1.0 + 2.0)


def test_reasoning_is_part_of_the_output() -> None:
    """Reasoning is in the output already."""
    assert OPUS.cost(Usage(input=0, output=1000, reasoning=900)) == OPUS.cost(Usage(input=0, output=1000))


def test_writing_for_an_hour_costs_more() -> None:
    """Of what was written to the cache, the part that is kept for an hour has its own price."""
    created = extras(cache_creation={"ephemeral_5m_input_tokens": 100_000, "ephemeral_1h_input_tokens": 300_000})
    usage = Usage(input=400_000, output=0, cache_write=400_000, extras=created)
    assert OPUS.cost(usage) == pytest.approx(0.1 * 5 + 0.3 * 8)


def test_without_cache_prices_the_cache_is_input() -> None:
    """Where a list says nothing of caches, cached tokens cost what others do."""
    plain = Price(model="m", input=1, output=2)
    assert plain.cost(Usage(input=1_000_000, output=0, cache_read=600_000, cache_write=100_000)) == pytest.approx(1.0)


def test_counts_that_contradict_each_other() -> None:
    """More cached tokens than there are tokens never make a price negative."""
    cost = OPUS.cost(Usage(input=10, output=0, cache_read=1_000_000, cache_write=1_000_000))
    assert cost == pytest.approx(10 * 0.2 / 1_000_000)


def test_a_long_prompt_is_dear_as_a_whole() -> None:
    """Above its limit a prompt costs another rate, all of it and the answer too; at the limit it does not."""
    assert SOL.cost(Usage(input=272_000, output=1000)) == pytest.approx(0.272 * 2 + 0.01)
    assert SOL.cost(Usage(input=272_001, output=1000)) == pytest.approx(0.272001 * 4 + 0.015)
    assert SOL.cost(Usage(input=600_000, output=0, cache_read=600_000)) == pytest.approx(0.6 * 8)


def test_tiers_multiply_tokens_and_not_searches() -> None:
    """A batch costs half, a fast mode in a certain place twice and a tenth more; a search costs what it costs."""
    usage = Usage(input=1_000_000, output=0, searches=3)
    assert OPUS.cost(usage) == pytest.approx(4.03)
    assert OPUS.cost(usage, ("batch",)) == pytest.approx(2.03)
    assert OPUS.cost(usage, ("fast", "us")) == pytest.approx(8.8 + 0.03)
    assert OPUS.cost(usage, ("unheard-of",)) == pytest.approx(4.03)


def test_nothing_counted_has_no_price() -> None:
    """A usage that says nothing costs nobody knows what."""
    assert OPUS.cost(Usage()) is None
    assert OPUS.cost(Usage(input=0, output=0)) == 0.0


@pytest.mark.parametrize(
    "name, plain",
    [
        ("anthropic/claude-opus-4.5", "claude-opus-4-5"),
        ("anthropic/claude-4.5-haiku-20251001", "claude-haiku-4-5-20251001"),
        ("claude-3.5-sonnet", "claude-3-5-sonnet"),
        ("eu.anthropic.claude-opus-9-v1:0", "claude-opus-9-v1:0"),
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-opus-9", "claude-opus-9"),
        ("claude-opus-9[1m]", "claude-opus-9"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("GPT-5.4", "gpt-5.4"),
    ],
)
def test_names_say_where_a_model_is(name: str, plain: str) -> None:
    """Vendors, regions and windows in a name are not part of it."""
    assert plain_name(name) == plain


@pytest.mark.parametrize(
    "name", ["claude-opus-9", "claude-opus-9-20261001", "claude-opus-9@20261001", "us.anthropic.claude-opus-9-v2:0"]
)
def test_a_release_is_the_model(name: str) -> None:
    """A release date or a version at the end costs what the model costs."""
    assert Prices([[OPUS]]).find(name) is OPUS


@pytest.mark.parametrize("name", ["claude-opus-9-mini", "claude-opus-91", "claude-opus", "", "20261001"])
def test_neighbours_are_not_guessed_from(name: str) -> None:
    """A model that only looks like one with a price has none."""
    assert Prices([[OPUS]]).find(name) is None


def test_a_dated_price_comes_before_the_undated() -> None:
    """A release that is listed by itself has that price."""
    first = Price(model="m-2024-05-13", input=9, output=9)
    later = Price(model="m", input=1, output=1)
    assert Prices([[later, first]]).find("m-2024-05-13") is first
    assert Prices([[later, first]]).find("m-2024-08-06") is later


def test_the_users_own_list_is_asked_first() -> None:
    """A pattern of the user's goes over an exact name of the package."""
    own = Price(model="claude-*", input=1, output=1)
    assert Prices([[own], [OPUS]]).find("claude-opus-9") is own
    assert Prices([[own], [SOL]]).find("gpt-9-sol") is SOL


def test_a_place_has_its_own_price() -> None:
    """`at` is a provider, a preset or a host; elsewhere such a price does not hold."""
    there = Price(model="glm-9", input=5, output=5, at=("work", "*.z.ai"))
    everywhere = Price(model="glm-9", input=7, output=7)
    prices = Prices([[everywhere, there]])
    assert prices.find("glm-9", ("mine", "zai", "api.z.ai")) is there
    assert prices.find("glm-9", ("Work",)) is there
    assert prices.find("glm-9", ("mine", "host.example")) is everywhere
    assert Prices([[there]]).find("glm-9", ("mine",)) is None


def test_a_price_may_begin_later() -> None:
    """Of two prices of one model the later holds from its day on."""
    now = Price(model="m", input=1, output=1)
    next_year = Price(model="m", input=2, output=2, since="2027-01-01")
    prices = Prices([[now, next_year]])
    assert prices.find("m", (), "2026-12-31") is now
    assert prices.find("m", (), "2027-01-01") is next_year


@pytest.mark.parametrize(
    "usage, cost",
    [
        ({"cost": 0.0025}, 0.0025),
        ({"cost": 0}, 0.0),
        ({"cost": 0.0001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}, 0.0201),
        ({"cost": 0.5, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.5}}, 0.5),
        ({"cost": {"input_tokens_cost": 0.1, "total_cost": 0.3}}, 0.3),
        ({"cost_in_usd_ticks": 37_756_000}, 0.0037756),
        ({"cost": "dear"}, None),
        ({"cost": -1}, None),
        ({"cost": None}, None),
        ({}, None),
    ],
)
def test_what_an_answer_says_it_cost(usage: dict[str, object], cost: float | None) -> None:
    """OpenRouter's, Perplexity's and xAI's own word, with the vendor's part where one's own key is used."""
    assert stated_cost(extras(**usage)) == (None if cost is None else pytest.approx(cost))


def test_tiers_of_answers() -> None:
    """Each dialect says its tier elsewhere; what is usual is none."""
    assert tiers_of(extras(service_tier="batch", inference_geo="us"), {}, "") == ("batch", "us")
    assert tiers_of(extras(service_tier="standard", speed="fast", inference_geo="not_available"), {}, "") == ("fast",)
    assert tiers_of(extras(serviceTier="flex"), {}, "") == ("flex",)
    assert tiers_of(extras(trafficType="ON_DEMAND_PRIORITY"), {}, "") == ("priority",)
    assert tiers_of({}, {}, "priority") == ("priority",)
    ended = {"response": Raw(b'{"instructions":"\\"service_tier\\":\\"flex\\"","service_tier":"default"}')}
    assert tiers_of({}, ended, "priority") == ()
    only_quoted = {"response": Raw(b'{"instructions":"\\"service_tier\\":\\"flex\\""}')}
    assert tiers_of({}, only_quoted, "priority") == ("priority",)


def test_a_start_names_its_tier() -> None:
    """Chat says it beside the answer, Responses in the response object, others not at all."""
    assert stated_tier(extras(service_tier="Flex")) == "flex"
    assert stated_tier(extras(response={"tools": [], "service_tier": "priority"})) == "priority"
    assert stated_tier(extras(service_tier=None)) == ""
    assert stated_tier({}) == ""


def test_a_list_is_read() -> None:
    """The user's file has tables called `prices`, with one name or several."""
    text = '[[prices]]\nmodel = ["a", "b-*"]\nat = ["work"]\ninput = 1\noutput = 2.5\n[prices.tiers]\nflex = 0.5\n'
    (price,) = read_list(text, "prices.toml")
    assert (price.models, price.input, price.output, price.at) == (("a", "b-*"), 1, 2.5, ("work",))
    assert price.tiers == {"flex": 0.5}


@pytest.mark.parametrize(
    "text",
    [
        "[[prices]]\nmodel = 'a'\ninput = 1\n",
        "[[prices]]\nmodel = 'a'\ninput = 1\noutput = 2\ncahce_read = 1\n",
        "[[prices]]\nmodel = 'a'\ninput = -1\noutput = 2\n",
        "[[prices]]\nmodel = 'a'\ninput = 1\noutput = nan\n",
        "[[prices]]\nmodel = ''\ninput = 1\noutput = 1\n",
        "[[prices]\n",
        "prices = 3\n",
    ],
)
def test_a_wrong_list_is_refused(text: str) -> None:
    """A misspelt key, a missing or impossible amount: an error that says where, never a price of nothing."""
    with pytest.raises(ConfigError) as caught:
        read_list(text, "here.toml")
    assert caught.value.where == "here.toml"
    assert caught.value.hint
