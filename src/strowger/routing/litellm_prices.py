"""LiteLLM's price table (`model_prices_and_context_window.json`), as far as it says what ours can say.

It has a member for each model at each provider, and prices by the token under names such as
`input_cost_per_token_above_272k_tokens`. Taken are models that talk, of providers that we have a preset for; what it
tells that we have no place for (audio, pictures, other regions) is left. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from strowger.errors import BadRequest
from strowger.routing.pricelists import Table, Vendor
from strowger.routing.prices import Price, Rates, plain_name

Json = Mapping[str, Any]

URL = "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json"
"""Where its newest state is."""

# Its name of a provider, and the hosts at which such a price holds; empty: the vendor's models cost that everywhere.
_HOSTS: Mapping[str, tuple[str, ...]] = {
    "anthropic": (),
    "openai": (),
    "gemini": (),
    "xai": (),
    "deepseek": ("api.deepseek.com",),
    "moonshot": ("*.moonshot.ai", "*.moonshot.cn", "api.kimi.com"),
    "zai": ("*.z.ai", "open.bigmodel.cn"),
    "mistral": ("api.mistral.ai", "codestral.mistral.ai"),
    "dashscope": ("dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com"),
    "groq": ("api.groq.com",),
    "cerebras": ("api.cerebras.ai",),
    "together_ai": ("api.together.xyz", "api.together.ai"),
    "fireworks_ai": ("api.fireworks.ai",),
    "perplexity": ("api.perplexity.ai",),
}
_TALKING = frozenset({"chat", "responses", "completion", None})
_RATES = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
}
_ABOVE = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")
_TIERS = {"batch": "_batches", "flex": "_flex", "priority": "_priority", "ultrafast": "_ultrafast"}
# Members of `provider_specific_entry`, which multiply.
_FACTORS = ("fast", "us")
_MILLION = 1_000_000
# Dollars for a million tokens: more than this is a price by the token that was meant otherwise.
_DEAREST = 100_000.0


class Converted(Struct, frozen=True):
    """What became of a table: `skipped` are models of our providers whose prices make no sense."""

    table: Table
    skipped: tuple[str, ...] = ()


def convert(data: bytes, *, source: str, day: str) -> Converted:
    """The table as one of ours. `day` is today's date. Raises BadRequest for what is no such table."""
    try:
        models = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"this is no price table: {error}", hint=_FORM) from None
    vendors: dict[str, list[Price]] = {}
    skipped: list[str] = []
    seen: set[tuple[str, str]] = set()
    for key, told in models.items():
        provider = told.get("litellm_provider") if isinstance(told, dict) else None
        if not isinstance(provider, str) or provider not in _HOSTS or told.get("mode") not in _TALKING:
            continue
        name = key.removeprefix(f"{provider}/").lower()
        # Perplexity's older endpoint, which is closed, had models by the bare name.
        if (provider == "perplexity" and "/" not in name) or (plain_name(name), provider) in seen or "*" in name:
            continue
        try:
            price = _price(name, told)
        except (ValueError, TypeError, LookupError):
            skipped.append(key)
            continue
        if price is not None:
            seen.add((plain_name(name), provider))
            vendors.setdefault(provider, []).append(price)
    if not vendors:
        raise BadRequest("this table has no model of a provider that we know", hint=_FORM)
    lists = tuple(
        Vendor(vendor=provider, source=source, at=_HOSTS[provider], prices=tuple(prices))
        for provider, prices in vendors.items()
    )
    return Converted(Table(about="LiteLLM's price table", read=day, vendors=lists), tuple(skipped))


_FORM = f"what is understood is LiteLLM's table, as at {URL}, or a list of ours"


def _price(name: str, told: Json) -> Price | None:
    """The price of a model, None where it has none. What is no price raises ValueError, TypeError or LookupError."""
    steps = told.get("tiered_pricing")
    if steps:
        first, *more = sorted(steps, key=lambda step: step["range"][0])
        base = _rates(first.get)
        long = tuple(Rates(int(step["range"][0]), **_rates(step.get)) for step in more)
    else:
        base = _rates(told.get)
        limits = sorted(int(found[1]) for member in told if (found := _ABOVE.fullmatch(member)))
        long = tuple(Rates(limit * 1000, **_rates(_above(told, limit))) for limit in limits)
    if not {"input", "output"} <= base.keys():
        return None
    return Price(
        model=name,
        input=base["input"],
        output=base["output"],
        cache_read=base.get("cache_read"),
        cache_write=base.get("cache_write"),
        cache_write_1h=base.get("cache_write_1h"),
        search=_search(told),
        long=long,
        tiers=_tiers(told, base),
    )


def _above(told: Json, limit: int) -> Callable[[str], Any]:
    return lambda member: told.get(f"{member}_above_{limit}k_tokens")


def _rates(member: Callable[[str], Any]) -> dict[str, float]:
    """Dollars for a million tokens, of what is told."""
    found = {name: _amount(value) for name, key in _RATES.items() if (value := member(key)) is not None}
    if found.get("cache_write") == 0 and found.get("input"):
        del found["cache_write"]  # where nothing is asked for writing, what is written is still input
    return found


def _amount(value: object, unit: float = _MILLION) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    amount = float(f"{value * unit:.10g}")
    if not 0 <= amount <= _DEAREST:
        raise ValueError
    return amount


def _search(told: Json) -> float | None:
    costs = told.get("search_context_cost_per_query")
    return _amount(costs["search_context_size_medium"], 1) if isinstance(costs, dict) else None


def _tiers(told: Json, base: Mapping[str, float]) -> dict[str, float]:
    """What tiers multiply a price by: as they do the input's, which in all lists is what they do the output's."""
    found: dict[str, float] = {}
    for tier, suffix in _TIERS.items():
        value = told.get(f"input_cost_per_token{suffix}")
        if value is not None and base["input"]:
            found[tier] = round(_amount(value) / base["input"], 4)
    factors = told.get("provider_specific_entry")
    if isinstance(factors, dict):
        found |= {name: _amount(factors[name], 1) for name in _FACTORS if name in factors}
    return found
