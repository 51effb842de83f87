"""Settings and keys from the environment."""

from __future__ import annotations

import pytest

from strowger.config.environment import inferred, key_variable, same_host, settings
from strowger.config.schema import Preset

PRESETS = {
    "alpha": Preset(dialect="openai_chat", base_url="https://api.alpha.test/v1", key_env=("ALPHA_API_KEY", "A_KEY")),
    "alpha-anthropic": Preset(
        dialect="anthropic", base_url="https://api.alpha.test", key_env=("ALPHA_API_KEY",), infer=False
    ),
    "beta": Preset(dialect="anthropic", base_url="https://beta.test", key_env=("BETA_API_KEY",)),
}


@pytest.mark.parametrize(
    "variable, text, path, value",
    [
        ("STROWGER_SERVER__PORT", "80", ("server", "port"), 80),
        ("STROWGER_SERVER__PORT", "eighty", ("server", "port"), "eighty"),
        ("STROWGER_SERVER__BIND", "127.0.0.1", ("server", "bind"), "127.0.0.1"),
        ("STROWGER_SERVER__ALLOW_EXTERNAL_BIND", "yes", ("server", "allow_external_bind"), True),
        ("STROWGER_SERVER__ALLOW_EXTERNAL_BIND", "0", ("server", "allow_external_bind"), False),
        ("STROWGER_SERVER__ALLOW_EXTERNAL_BIND", "maybe", ("server", "allow_external_bind"), "maybe"),
        ("STROWGER_SERVER__ALLOWED_HOSTS", "a, b,", ("server", "allowed_hosts"), ["a", "b"]),
        ("STROWGER_SERVER__ALLOWED_HOSTS", '["a,b"]', ("server", "allowed_hosts"), ["a,b"]),
        ("STROWGER_LIMITS__HEARTBEAT_SECONDS", "2.5", ("limits", "heartbeat_seconds"), 2.5),
        ("STROWGER_PROVIDERS__X__AUTH", "env:A", ("providers", "x", "auth"), "env:A"),
        ("STROWGER_PROVIDERS__X__AUTH", '{ file = "f" }', ("providers", "x", "auth"), {"file": "f"}),
        ("STROWGER_PROVIDERS__ALPHA_ANTHROPIC__MODELS", "m*", ("providers", "alpha-anthropic", "models"), ["m*"]),
        ("STROWGER_PROVIDERS__X__CAPABILITIES__IMAGES", "false", ("providers", "x", "capabilities", "images"), False),
        (
            "STROWGER_PROVIDERS__X__CAPABILITIES__THINKING",
            "none",
            ("providers", "x", "capabilities", "thinking"),
            "none",
        ),
        ("STROWGER_ALIASES__MY_FAST", "x:m", ("aliases", "my.fast"), "x:m"),
        ("STROWGER_SERVR__PORT", "80", ("servr", "port"), "80"),
    ],
)
def test_settings(variable: str, text: str, path: tuple[str, ...], value: object) -> None:
    """Text is read as the type of its key; names with dashes and dots are found by their spelling; the rest is kept."""
    assert list(settings({variable: text}, [*PRESETS, "my.fast"])) == [(path, value, variable)]


def test_other_variables_are_not_settings() -> None:
    """Variables without a section are for other purposes, and foreign ones are none of our business."""
    assert not list(settings({"STROWGER_CONFIG": "x", "STROWGER_PROFILE": "y", "OTHER__PORT": "1"}, []))


def test_keys_make_providers() -> None:
    """A preset whose key variable is set is used, the first variable that is set being the one."""
    assert inferred({"ALPHA_API_KEY": "k", "BETA_API_KEY": ""}, PRESETS) == ({"alpha": "ALPHA_API_KEY"}, [])
    assert inferred({"A_KEY": "k"}, PRESETS)[0] == {"alpha": "A_KEY"}


def test_a_key_for_another_host_is_not_taken() -> None:
    """Inside `strowger run` the key is our own client token: the base URL beside it says so, and we tell."""
    found, notes = inferred({"BETA_API_KEY": "k", "BETA_BASE_URL": "http://127.0.0.1:4000"}, PRESETS)
    assert not found
    assert notes[0].message == "BETA_API_KEY is not used: BETA_BASE_URL says that it is for another host"
    assert inferred({"BETA_API_KEY": "k", "BETA_BASE_URL": "https://beta.test/"}, PRESETS)[0]


def test_key_variable() -> None:
    """The variable that is set, else the usual one, else none."""
    assert key_variable(PRESETS["alpha"], {}) == "ALPHA_API_KEY"
    assert key_variable(PRESETS["alpha"], {"A_KEY": "k"}) == "A_KEY"
    assert key_variable(Preset(dialect="anthropic", base_url="http://x"), {}) is None


def test_same_host() -> None:
    """Scheme, host and port decide; paths and case do not."""
    assert same_host("https://A.test/v1", "https://a.test")
    assert not same_host("http://a.test", "https://a.test")
    assert not same_host("https://a.test:8443", "https://a.test")
    assert not same_host("https://[", "https://[")
