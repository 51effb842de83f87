"""Whatever stands in the file or in the environment, the answer is a configuration or a list of problems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strowger.config import InvalidConfig, load
from strowger.config.describe import as_json, as_toml
from strowger.config.layers import Loaded
from strowger.config.schema import Config, Limits, Match, ProviderConfig, RouteConfig, Server
from strowger.dialects.base import Capabilities
from strowger.providers import PRESETS, build_providers
from strowger.routing import Hints, RouteTable

STRUCTS = (Config, Server, Limits, ProviderConfig, RouteConfig, Match, Capabilities)
KEYS = st.sampled_from(
    sorted({field.encode_name for struct in STRUCTS for field in msgspec.structs.fields(struct)})
    + ["profiles", "openai", "x", "", "a.b", "auth"]
)
TEXTS = st.sampled_from(
    [
        "",
        "x",
        "openai",
        "openai:gpt",
        "x:",
        "env:K",
        "file:",
        "client",
        "http://[",
        "https://x/v1",
        "anthropic",
        "*",
        "[",
        "sk-ant-planted",
    ]
)
VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
unhurried = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def toml(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case float():
            return repr(value).replace("e", ".0e") if "." not in repr(value) else repr(value)
        case _:
            return json.dumps(value)


def attempt(path: Path | None, env: dict[str, str]) -> Loaded | None:
    """Load; check whatever comes of it."""
    try:
        loaded = load(path, env=env, presets=PRESETS)
    except InvalidConfig as error:
        assert error.problems
        assert all(problem.message for problem in error.problems)
        assert "planted" not in "".join(problem.text for problem in error.problems)
        return None
    assert "planted" not in as_toml(loaded, origins=True) + as_json(loaded)
    return loaded


@unhurried
@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_table(tmp_path: Path, table: dict[str, Any]) -> None:
    """Any TOML that parses is accepted or refused with problems, and never leaks a planted key."""
    path = tmp_path / "c.toml"
    path.write_text("\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in table.items()))
    path.chmod(0o600)
    loaded = attempt(path, {})
    if loaded is not None and all(provider.base_url != "demo:" for provider in loaded.config.providers.values()):
        routes = RouteTable(loaded.config, build_providers(loaded.config, env={}))
        assert list(routes.names()) is not None


@unhurried
@given(st.binary(max_size=60))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    """A file of any bytes never gives another exception than ours."""
    path = tmp_path / "c.toml"
    path.write_bytes(data)
    loaded = attempt(path, {})
    assert loaded is None or loaded.path == path


@given(st.dictionaries(st.tuples(KEYS, KEYS, KEYS).map("__".join), st.one_of(TEXTS, VALUES.map(toml)), max_size=4))
def test_any_environment(given_env: dict[str, str]) -> None:
    """Settings of any kind in the environment are accepted or refused with the variable's name."""
    env = {f"STROWGER_{name.upper()}": value for name, value in given_env.items()} | {"HOME": "/nowhere"}
    loaded = attempt(None, env)
    assert loaded is None or loaded.path is None


@given(st.text(max_size=30), st.booleans())
def test_any_model_name(model: str, subagent: bool) -> None:
    """Any model name is routed by the only provider, without its window suffix."""
    config = Config(providers={"x": ProviderConfig(dialect="anthropic", base_url="https://x.test")})
    routes = RouteTable(config, build_providers(config, env={}))
    route = routes.match(model, hints=Hints(subagent=subagent))
    assert [target.provider.name for target in route.targets] == ["x"]
    assert route.targets[0].model in model
