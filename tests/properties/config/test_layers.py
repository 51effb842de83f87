"""Whatever stands in the file or in the environment, the answer is a configuration or a list of problems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strowger.config import InvalidConfig, load
from strowger.config.checks import DEMO_URL
from strowger.config.describe import as_json, as_toml
from strowger.config.schema import Config, Flows, Limits, Log, Match, ProviderConfig, RouteConfig, Server
from strowger.dialects.base import Capabilities
from strowger.providers import PRESETS, build_providers
from strowger.routing import Hints, RouteTable

TEXTS = st.sampled_from(
    (
        *(
            "",
            "x",
            "openai",
            "openai:gpt",
            "x:",
            "env:K",
            "file:",
            "file:k#a",
            "command:'",
            "client",
            "http://[",
            "*",
            "[",
        ),
        *(
            "info",
            "https://x.test/v1",
            "https://api.anthropic.com",
            "anthropic",
            "openai_chat",
            "authorization",
            "0.0.0.0",
            "a b",
        ),
    )
)
SCALARS = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), TEXTS)
VALUES = st.one_of(TEXTS, st.lists(TEXTS, max_size=3), SCALARS, st.dictionaries(TEXTS, SCALARS, max_size=3))
NAMES = st.sampled_from(["openai", "anthropic", "deepseek-anthropic", "x", "", "a.b", "a:b"])


def table(struct: type[msgspec.Struct], **known: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Keys of a table, most of the values wrong; sometimes a key that there is not."""
    keys = {field.encode_name: known.get(field.encode_name, VALUES) for field in msgspec.structs.fields(struct)}
    return st.fixed_dictionaries({}, optional={**keys, "unknown": VALUES})


def tables() -> st.SearchStrategy[dict[str, Any]]:
    provider = table(
        ProviderConfig, capabilities=table(Capabilities), headers=st.dictionaries(TEXTS, VALUES, max_size=2)
    )
    sections: dict[str, st.SearchStrategy[Any]] = {
        "server": table(Server),
        "limits": table(Limits),
        "providers": st.dictionaries(NAMES, provider, max_size=3),
        "routes": st.lists(table(RouteConfig, match=table(Match)), max_size=3),
        "aliases": st.dictionaries(NAMES, VALUES, max_size=3),
        "log": table(Log),
        "flows": table(Flows),
    }
    return table(Config, **{name: st.one_of(section, VALUES) for name, section in sections.items()})


def toml(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case float():
            return repr(value)
        case _:
            return json.dumps(value)


def attempt(path: Path | None, env: dict[str, str]) -> str:
    """Load, and use whatever comes of it: `refused` or `used`."""
    try:
        loaded = load(path, env=env, presets=PRESETS)
    except InvalidConfig as error:
        return "refused" if error.problems and all(problem.message for problem in error.problems) else "silent"
    if all(provider.base_url != DEMO_URL for provider in loaded.config.providers.values()):
        RouteTable(loaded.config, build_providers(loaded.config, env={}))
    return "used" if as_toml(loaded, origins=True) and as_json(loaded) else "silent"


unhurried = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@unhurried
@given(tables(), st.booleans())
def test_any_table(tmp_path: Path, content: dict[str, Any], in_profile: bool) -> None:
    """Any TOML that parses is either refused with problems or can be built, shown and routed with."""
    path = tmp_path / "c.toml"
    whole = {"profiles": {"p": content}} if in_profile else content
    path.write_text("\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in whole.items()))
    assert attempt(path, {"STROWGER_PROFILE": "p"} if in_profile else {}) in {"refused", "used"}


@unhurried
@given(st.binary(max_size=60))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    """A file of any bytes is refused, or used when it happens to be right."""
    path = tmp_path / "c.toml"
    path.write_bytes(data)
    assert attempt(path, {}) in {"refused", "used"}


KEYS = [field.encode_name for struct in (Config, Server, ProviderConfig) for field in msgspec.structs.fields(struct)]


@given(
    st.dictionaries(
        st.lists(st.sampled_from([*KEYS, "x", ""]), min_size=1, max_size=4).map("__".join),
        st.one_of(TEXTS, VALUES.map(toml)),
        max_size=4,
    )
)
def test_any_environment(settings: dict[str, str]) -> None:
    """Settings of any kind in the environment are refused, or used when they are right."""
    env = {f"STROWGER_{name.upper()}": value for name, value in settings.items()}
    env = {name: value for name, value in env.items() if name not in {"STROWGER_CONFIG", "STROWGER_PROFILE"}}
    assert attempt(None, env | {"HOME": "/nowhere"}) in {"refused", "used"}


@given(st.text(max_size=30), st.booleans())
def test_any_model_name(model: str, subagent: bool) -> None:
    """Any model name is routed by the only provider, without its window suffix."""
    config = Config(providers={"x": ProviderConfig(dialect="anthropic", base_url="https://x.test")})
    routes = RouteTable(config, build_providers(config, env={}))
    route = routes.match(model, hints=Hints(subagent=subagent))
    assert [target.provider.name for target in route.targets] == ["x"]
    assert route.targets[0].model in model
