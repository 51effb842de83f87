"""What calls cost: prices by model, and what a usage comes to at them. Pure; knows no files, no providers, no flows.

A price is for the model that answered. A name that no price fits has none: nothing is guessed from its neighbours. The
prompt is counted once: what was read from a cache, or written to one, is part of `Usage.input` and taken off it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

import msgspec
from msgspec import Raw, Struct, ValidationError

from strowger.errors import ConfigError
from strowger.ir.events import Usage
from strowger.ir.request import Extras

_MILLION = 1_000_000
# What is behind a model's name and does not change what it costs: a release date, a Bedrock version, `latest`.
_RELEASE = re.compile(r"(?:[-@]20\d\d-?\d\d-?\d\d)?(?:-v\d+(?::\d+)?)?(?:-latest)?$")
_BEDROCK = re.compile(r"^(?:[a-z-]+\.)?anthropic\.")
# `claude-4.5-haiku`, as some write what is called `claude-haiku-4-5` since Claude 4.
_TURNED = re.compile(r"^claude-([4-9](?:-\d)?)-([a-z]+)")
_WILD = frozenset("*?[")


class Rates(Struct, frozen=True, forbid_unknown_fields=True):
    """US dollars per million tokens of a prompt with more than `above` tokens, all of them.

    None: what is read from a cache, or written to one, costs as much as any other input (an hour: as five minutes).
    """

    above: int
    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None


class Price(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What some models cost, in US dollars per million tokens.

    `model` are names, or shell-style patterns, without a vendor's prefix and without a release date. `at` are names of
    providers or presets, or hosts, as patterns; without one it holds everywhere. `since` is the first day (UTC) on
    which it holds. `long` are the rates of longer prompts, `search` what a web search costs. `tiers` multiply the
    tokens' price: `batch`, `flex`, `priority`, `fast`, and `us` for inference in a certain place.
    """

    model: str | tuple[str, ...]
    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    search: float | None = None
    at: tuple[str, ...] = ()
    since: str = ""
    long: tuple[Rates, ...] = ()
    tiers: dict[str, float] = {}
    source: str = ""

    @property
    def models(self) -> tuple[str, ...]:
        """The names it is for."""
        return (self.model,) if isinstance(self.model, str) else self.model

    def rates(self, prompt: int) -> Rates:
        """What a prompt of so many tokens costs."""
        base = Rates(0, self.input, self.output, self.cache_read, self.cache_write, self.cache_write_1h)
        fitting = [rates for rates in self.long if prompt > rates.above]
        return max(fitting, key=lambda rates: rates.above, default=base)

    def cost(self, usage: Usage, tiers: Iterable[str] = ()) -> float | None:
        """What a usage comes to in US dollars; None when it says nothing. `tiers` are those the answer was given in."""
        if usage.input is None and usage.output is None:
            return None
        prompt = usage.input or 0
        rates = self.rates(prompt)
        read = min(usage.cache_read or 0, prompt)
        written = min(usage.cache_write or 0, prompt - read)
        for_hour = min(_written_for_hour(usage.extras), written)
        read_rate = rates.input if rates.cache_read is None else rates.cache_read
        write_rate = rates.input if rates.cache_write is None else rates.cache_write
        hour_rate = write_rate if rates.cache_write_1h is None else rates.cache_write_1h
        tokens = (
            (prompt - read - written) * rates.input
            + read * read_rate
            + (written - for_hour) * write_rate
            + for_hour * hour_rate
            + (usage.output or 0) * rates.output
        )
        for tier in tiers:
            tokens *= self.tiers.get(tier, 1.0)
        return tokens / _MILLION + (usage.searches or 0) * (self.search or 0.0)


class Prices:
    """Price lists in the order in which they are asked: the user's own before what is packaged."""

    def __init__(self, lists: Iterable[Sequence[Price]]) -> None:
        self._lists = [_indexed(prices) for prices in lists]

    def find(self, model: str, at: Iterable[str] = (), day: str = "9999") -> Price | None:
        """The price of a model at one of the places `at` (names of a provider and of its preset, its host) on a day."""
        names, places = _spellings(model), tuple(place.lower() for place in at)
        for exact, wild in self._lists:
            for name in names:
                fitting = [price for price in exact.get(name, ()) if _holds(price, places, day)]
                if fitting:
                    return _latest(fitting)
            fitting = [price for glob, price in wild if fnmatchcase(names[0], glob) and _holds(price, places, day)]
            if fitting:
                return fitting[0]
        return None


def _indexed(prices: Sequence[Price]) -> tuple[dict[str, list[Price]], list[tuple[str, Price]]]:
    exact: dict[str, list[Price]] = {}
    wild: list[tuple[str, Price]] = []
    for price in prices:
        for name in price.models:
            plain = plain_name(name)
            if _WILD.isdisjoint(plain):
                exact.setdefault(plain, []).append(price)
            else:
                wild.append((plain, price))
    return exact, wild


def _holds(price: Price, places: tuple[str, ...], day: str) -> bool:
    if price.since and day < price.since:
        return False
    return not price.at or any(fnmatchcase(place, glob.lower()) for glob in price.at for place in places)


def _latest(fitting: list[Price]) -> Price:
    """The one for this place before the one for all, then the newest."""
    return max(fitting, key=lambda price: (bool(price.at), price.since))


def plain_name(model: str) -> str:
    """A model's name without what says where it is: a vendor before a slash, a region of Bedrock, `[1m]`."""
    name = model.lower().strip().removesuffix("[1m]").rpartition("/")[2]
    name = _BEDROCK.sub("", name)
    return _TURNED.sub(r"claude-\2-\1", name.replace(".", "-")) if name.startswith("claude") else name


def _spellings(model: str) -> tuple[str, ...]:
    """The names by which a model may be listed: as it is, and without its release."""
    plain = plain_name(model)
    bare = _RELEASE.sub("", plain)
    return (plain,) if bare == plain or not bare else (plain, bare)


# ---- what an answer says of its own cost ----


class _CacheCreation(Struct):
    ephemeral_1h_input_tokens: int | None = None


class _CostParts(Struct):
    total_cost: float | None = None


class _Upstream(Struct):
    upstream_inference_cost: float | None = None


_CREATION = msgspec.json.Decoder(_CacheCreation)
_AMOUNT = msgspec.json.Decoder(float | _CostParts | None)
_DETAILS = msgspec.json.Decoder(_Upstream | None)
_SERVICE_TIER = b'"service_tier"'
_TIER = re.compile(rb'\s*:\s*"(\w+)"')
# Anthropic's, Gemini's, Vertex AI's
_TIER_MEMBERS = ("service_tier", "serviceTier", "speed", "inference_geo", "trafficType")
_ORDINARY = frozenset({"", "standard", "default", "auto", "on_demand", "not_available", "global"})
_SAME = {"on_demand_priority": "priority", "on_demand_flex": "flex"}
# docs.x.ai/developers/cost-tracking
_TICKS_PER_DOLLAR = 10_000_000_000


def stated_cost(extras: Extras) -> float | None:
    """What the answer itself says that it cost, in US dollars: OpenRouter and gateways like it, Perplexity, xAI.

    Where the user's own key was used at OpenRouter, what its vendor asks is added to OpenRouter's fee.
    """
    if not extras:
        return None
    if (ticks := extras.get("cost_in_usd_ticks")) is not None:
        amount = _amount(ticks)
        return None if amount is None else amount / _TICKS_PER_DOLLAR
    cost = _amount(extras["cost"]) if "cost" in extras else None
    if cost is not None and bytes(extras.get("is_byok", b"")) == b"true" and "cost_details" in extras:
        try:
            details = _DETAILS.decode(extras["cost_details"])
        except msgspec.MsgspecError:
            details = None
        cost += (details.upstream_inference_cost or 0.0) if details else 0.0
    return cost


def stated_tier(extras: Extras) -> str:
    """The service tier that a start or an end of an answer names, empty where it names none."""
    if not extras:
        return ""
    raw = extras.get("service_tier")
    if raw is None and (response := extras.get("response")) is not None:
        return _tier_within(bytes(response))
    return _word(raw)


def _tier_within(response: bytes) -> str:
    """The tier of a response object. That may repeat all that was asked, so one word is looked for."""
    at = response.find(_SERVICE_TIER)
    while at > 0 and response[at - 1 : at] == b"\\":  # it is quoted in a text
        at = response.find(_SERVICE_TIER, at + 1)
    found = _TIER.match(response, at + len(_SERVICE_TIER)) if at >= 0 else None
    return found[1].decode() if found else ""


def tiers_of(usage: Extras, finish: Extras, began: str) -> tuple[str, ...]:
    """In which tiers an answer was given, as price lists call them: its service tier, a fast mode, a place.

    `began` is what its start said; what is said later is nearer to the bill.
    """
    tiers = [_word(usage.get(member)) for member in _TIER_MEMBERS if member in usage] if usage else []
    tiers.append(stated_tier(finish) or began)
    told = [_SAME.get(tier, tier) for tier in tiers if tier not in _ORDINARY]
    return tuple(dict.fromkeys(told)) if told else ()


def _word(raw: Raw | None) -> str:
    text = b"" if raw is None else bytes(raw)
    return text[1:-1].decode("utf-8", "replace").lower() if text[:1] == b'"' else ""


def _amount(raw: Raw) -> float | None:
    try:
        found = _AMOUNT.decode(raw)
    except msgspec.MsgspecError:
        return None
    amount = found.total_cost if isinstance(found, _CostParts) else found
    return amount if amount is not None and 0 <= amount < float("inf") else None


def _written_for_hour(extras: Extras) -> int:
    raw = extras.get("cache_creation")
    if raw is None:
        return 0
    try:
        return _CREATION.decode(raw).ephemeral_1h_input_tokens or 0
    except msgspec.MsgspecError:
        return 0


# ---- lists as the user writes them ----


class _List(Struct, forbid_unknown_fields=True):
    prices: tuple[Price, ...] = ()


def read_list(text: str, where: str) -> tuple[Price, ...]:
    """The `[[prices]]` of a TOML file. Raises ConfigError."""
    try:
        prices = msgspec.toml.decode(text, type=_List).prices
    except ValidationError as error:
        raise ConfigError(f"the price list cannot be used: {error}", where=where, hint=_FORM) from None
    except msgspec.DecodeError as error:
        raise ConfigError(f"the price list is no TOML: {error}", where=where, hint=_FORM) from None
    for price in prices:
        check(price, where)
    return prices


def check(price: Price, where: str) -> None:
    """Raise ConfigError for a price that cannot be meant."""
    amounts = [price.input, price.output, price.cache_read, price.cache_write, price.cache_write_1h, price.search]
    for rates in price.long:
        amounts += [rates.input, rates.output, rates.cache_read, rates.cache_write, rates.cache_write_1h]
    amounts += price.tiers.values()
    if not price.models or not all(price.models):
        raise ConfigError("a price names no model", where=where, hint=_FORM)
    if any(amount is not None and not 0 <= amount < 1_000_000 for amount in amounts):
        raise ConfigError(f"the price of {price.models[0]} is no amount of dollars", where=where, hint=_FORM)


_FORM = 'a price is [[prices]] with `model = "name"`, `input` and `output` in US dollars per million tokens'
