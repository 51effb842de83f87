"""LiteLLM's price table, as far as ours can say what it does."""

from __future__ import annotations

import json

import pytest

from strowger.errors import BadRequest
from strowger.ir.events import Usage
from strowger.routing.litellm_prices import Converted, convert
from strowger.routing.prices import Price, Prices

SOL = {
    "litellm_provider": "openai",
    "mode": "responses",
    "input_cost_per_token": 2e-06,
    "output_cost_per_token": 1e-05,
    "cache_read_input_token_cost": 2e-07,
    "input_cost_per_token_above_272k_tokens": 4e-06,
    "output_cost_per_token_above_272k_tokens": 1.5e-05,
    "cache_read_input_token_cost_above_272k_tokens": 4e-07,
    "input_cost_per_token_batches": 1e-06,
    "input_cost_per_token_flex": 1e-06,
    "input_cost_per_token_priority": 4e-06,
    "search_context_cost_per_query": {"search_context_size_medium": 0.01},
    "max_input_tokens": 922000,
}


def read(**models: object) -> Converted:
    """The table with these members."""
    return convert(json.dumps(models).encode(), source="https://prices.example", day="2026-11-21")


def only(**members: object) -> Price | None:
    """The price of a model with these members, found by its name."""
    return Prices([read(**{"gpt-9-sol": {**SOL, **members}}).table.prices()]).find("gpt-9-sol")


def test_a_model_with_everything() -> None:
    """Prices by the token become prices by the million; long prompts and tiers come along, its source and day too."""
    found = read(**{"gpt-9-sol": SOL, "sample_spec": {"mode": "one of chat, embedding"}})
    (price,) = found.table.prices()
    assert (price.model, price.input, price.output, price.cache_read, price.search) == ("gpt-9-sol", 2, 10, 0.2, 0.01)
    assert [(rates.above, rates.input, rates.output, rates.cache_read) for rates in price.long] == [
        (272_000, 4, 15, 0.4)
    ]
    assert price.tiers == {"batch": 0.5, "flex": 0.5, "priority": 2}
    assert (price.source, found.table.read, found.skipped) == ("https://prices.example", "2026-11-21", ())


def test_anthropics_hour_and_modes() -> None:
    """What is kept for an hour has its price, and a fast mode or a place its factor."""
    price = only(
        litellm_provider="anthropic",
        cache_creation_input_token_cost=2.5e-06,
        cache_creation_input_token_cost_above_1hr=4e-06,
        provider_specific_entry={"us": 1.1, "fast": 2},
    )
    assert price is not None
    assert (price.cache_write, price.cache_write_1h) == (2.5, 4)
    assert (price.tiers["us"], price.tiers["fast"]) == (1.1, 2)


def test_steps_of_prompts() -> None:
    """A table of ranges is what long prompts are elsewhere."""
    steps = [
        {"range": [0, 32000.0], "input_cost_per_token": 1e-06, "output_cost_per_token": 5e-06},
        {"range": [32000.0, 128000.0], "input_cost_per_token": 1.8e-06, "output_cost_per_token": 9e-06},
    ]
    told = {"litellm_provider": "dashscope", "mode": "chat", "tiered_pricing": steps}
    prices = Prices([read(**{"dashscope/qwen9-coder": told}).table.prices()])
    price = prices.find("qwen9-coder", ("dashscope-intl.aliyuncs.com",))
    assert price is not None
    assert price.cost(Usage(input=32_000, output=0)) == pytest.approx(0.032)
    assert price.cost(Usage(input=100_000, output=0)) == pytest.approx(0.18)
    assert prices.find("qwen9-coder", ("elsewhere.example",)) is None


def test_writing_that_costs_nothing_is_input() -> None:
    """Where nothing is asked for writing to a cache, what is written has been read as input all the same."""
    price = only(cache_creation_input_token_cost=0.0)
    assert price is not None
    assert price.cost(Usage(input=1_000, output=0, cache_write=1_000)) == pytest.approx(0.002)


@pytest.mark.parametrize(
    "members",
    [
        {"litellm_provider": "bedrock"},
        {"mode": "embedding"},
        {"input_cost_per_token": None},
        {"litellm_provider": 3},
    ],
)
def test_what_is_left(members: dict[str, object]) -> None:
    """Other providers, other kinds of models and models without a price are not taken, and not complained of."""
    found = read(**{"gpt-9-sol": {**SOL, **members}, "gpt-9": SOL})
    assert [price.model for price in found.table.prices()] == ["gpt-9"]
    assert found.skipped == ()


@pytest.mark.parametrize(
    "members",
    [
        {"input_cost_per_token": "2e-06"},
        {"input_cost_per_token": -1},
        {"output_cost_per_token": 3.0},
        {"output_cost_per_token": True},
        {"tiered_pricing": [{"all": 1}]},
        {"search_context_cost_per_query": {"search_context_size_medium": []}},
    ],
)
def test_prices_that_make_no_sense_are_named(members: dict[str, object]) -> None:
    """One wrong price costs one model, not the list."""
    found = read(**{"gpt-9-sol": {**SOL, **members}, "gpt-9": SOL})
    assert found.skipped == ("gpt-9-sol",)
    assert [price.model for price in found.table.prices()] == ["gpt-9"]


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b"{}", b'{"gpt-9": 3}', b'{"x": {"mode": "chat"}}', b"\xff"])
def test_what_is_no_table_is_refused(data: bytes) -> None:
    """A page of a proxy, another file, nothing: an error that says what is understood."""
    with pytest.raises(BadRequest) as caught:
        convert(data, source="x", day="2026-11-21")
    assert "LiteLLM" in (caught.value.hint or "")
