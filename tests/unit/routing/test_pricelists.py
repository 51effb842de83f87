"""The packaged list holds what it should, and the user's lists go over it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from strowger.errors import ConfigError
from strowger.ir.events import Usage
from strowger.routing.pricelists import Table, Vendor, fetched_file, load, packaged
from strowger.routing.prices import Price, check, plain_name, read_list
from tests.house import tree

TODAY = "2026-11-21"


def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose files are below a folder of the test's."""
    return {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


def test_the_packaged_list_is_sound() -> None:
    """Every price is an amount, has a source and a date, and no two of one day and place contradict each other."""
    table = packaged()
    seen: dict[tuple[str, tuple[str, ...], str], Price] = {}
    assert table.read == TODAY
    for price in table.prices():
        check(price, "the packaged list")
        assert price.source.startswith("https://")
        assert [rates.above for rates in price.long] == sorted(rates.above for rates in price.long)
        for rates in (price.rates(0), *price.long):
            assert rates.cache_read is None or rates.cache_read <= rates.input
        for name in price.models:
            key = (plain_name(name), price.at, price.since)
            assert key not in seen, key
            seen[key] = price


@pytest.mark.parametrize(
    "model, places, usage, dollars",
    [
        # platform.claude.com/docs/en/models/*/overview
        ("claude-opus-5-5", (), Usage(input=1_000_000, output=1_000_000), 24.0),
        ("claude-fable-5-1", (), Usage(input=1_000_000, output=0, cache_read=1_000_000), 0.25),
        ("claude-sonnet-5-5", (), Usage(input=1_000_000, output=0, cache_read=1_000_000), 0.1),
        ("claude-haiku-5-5", (), Usage(input=100_000, output=0), 0.01),
        ("claude-haiku-5-5", (), Usage(input=200_000, output=0), 0.1),
        ("claude-haiku-4-5-20251001", (), Usage(input=1_000_000, output=1_000_000), 6.0),
        # developers.openai.com/api/docs/pricing
        ("gpt-6-sol", (), Usage(input=200_000, output=0), 0.4),
        ("gpt-6-sol", (), Usage(input=300_000, output=0), 1.2),
        ("gpt-5.5-2026-04-23", (), Usage(input=200_000, output=0), 1.0),
        # ai.google.dev/gemini-api/docs/pricing
        ("gemini-2.5-pro", (), Usage(input=200_000, output=0), 0.25),
        ("gemini-2.5-pro", (), Usage(input=400_000, output=0), 1.0),
        ("deepseek-v4-pro", ("deepseek", "api.deepseek.com"), Usage(input=1_000_000, output=0), 1.32),
        ("kimi-k3", ("api.moonshot.ai",), Usage(input=1_000_000, output=0), 3.0),
        ("glm-5.3", ("api.z.ai",), Usage(input=1_000_000, output=0), 1.4),
        ("openai/gpt-oss-120b", ("api.groq.com",), Usage(input=1_000_000, output=0), 0.15),
    ],
)
def test_known_prices(model: str, places: tuple[str, ...], usage: Usage, dollars: float) -> None:
    """What vendors ask today for the models of our presets."""
    price = load(None, {"HOME": "nowhere"}).prices().find(model, places, TODAY)
    assert price is not None
    assert price.cost(usage) == pytest.approx(dollars)


def test_open_models_cost_what_their_host_asks() -> None:
    """The price at an open model's vendor is nobody else's."""
    prices = load(None, {"HOME": "nowhere"}).prices()
    assert prices.find("deepseek-v4-pro", ("together", "api.together.xyz"), TODAY) is None


def test_own_before_fetched_before_packaged(tmp_path: Path) -> None:
    """The user's file is asked first, then what was fetched, then the package."""
    env = home(tmp_path)
    own = tmp_path / "config/strowger/prices.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[[prices]]\nmodel = "gpt-6-sol"\ninput = 1\noutput = 1\n')
    there = fetched_file(env)
    there.parent.mkdir(parents=True)
    listed = (
        Price(model="gpt-6-sol", input=2, output=2),
        Price(model="gpt-6-luna", input=3, output=3),
    )
    there.write_bytes(msgspec.json.encode(Table(vendors=(Vendor(vendor="x", prices=listed),))))
    prices = load(None, env).prices()
    found = [prices.find(model) for model in ("gpt-6-sol", "gpt-6-luna", "gpt-6-astra")]
    assert [price.input if price else None for price in found] == [1, 3, 10]


def test_a_named_list_must_be_there(tmp_path: Path) -> None:
    """A file that the configuration names is missed; the usual one may be absent."""
    assert load(None, home(tmp_path)).own == ()
    with pytest.raises(ConfigError) as caught:
        load(str(tmp_path / "mine.toml"), home(tmp_path))
    assert "mine.toml" in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"{", b'{"vendors": 3}', b'{"vendors":[{"vendor":"x","prices":[{"model":"m"}]}]}', b"\xff"]
)
def test_a_broken_fetched_list_is_told(tmp_path: Path, body: bytes) -> None:
    """A damaged file is an error that says how to mend it, not a price of nothing."""
    env = home(tmp_path)
    there = fetched_file(env)
    there.parent.mkdir(parents=True)
    there.write_bytes(body)
    with pytest.raises(ConfigError) as caught:
        load(None, env)
    assert "prices update" in (caught.value.hint or "")


def test_the_guides_list_is_one() -> None:
    """What the guide shows as a list of one's own can be read, and says all that a list can."""
    guide = tree.text("docs/guides/usage.md")
    shown = guide[guide.index("[[prices]]") : guide.index("```", guide.index("[[prices]]"))]
    (price,) = read_list(shown, "usage.md")
    left = {name for name in Price.__struct_fields__ if getattr(price, name) in (None, (), {}, "")}
    assert left == {"since", "source"}
