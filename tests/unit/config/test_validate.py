"""From tables to structs, and what is said when they do not fit."""

from __future__ import annotations

import pytest

from strowger.config.references import SecretRef
from strowger.config.schema import Config
from strowger.config.validate import Problem, convert, near_miss, suggest, type_at


def problems(table: dict[str, object]) -> list[Problem]:
    return convert(Config, table)[1]


def test_values_arrive() -> None:
    """A right table becomes frozen structs with tuples and references."""
    config, found = convert(
        Config,
        {
            "server": {"port": 1, "allowed_hosts": ["a"], "grace_seconds": 3},
            "providers": {"x": {"auth": "env:A", "headers": {"X-Title": "me: you"}, "models": ["m*"]}},
            "routes": [{"match": {"model": ["a", "b"], "class": "main"}, "to": "x"}],
        },
    )
    assert not found
    assert config is not None
    assert config.server.allowed_hosts == ("a",)
    assert config.server.grace_seconds == 3.0
    assert config.providers["x"].auth == SecretRef("env", target="A")
    assert config.providers["x"].headers["X-Title"].kind == "literal"
    assert config.routes[0].match.model == ("a", "b")
    assert config.routes[0].match.request_class == "main"


@pytest.mark.parametrize(
    "table, path, message",
    [
        ({"server": {"port": "4000"}}, ("server", "port"), 'a whole number from 0 to 65535, not the string "4000"'),
        ({"server": {"port": 70000}}, ("server", "port"), "from 0 to 65535, not the number 70000"),
        ({"server": {"port": True}}, ("server", "port"), "a whole number from 0 to 65535, not true"),
        ({"server": {"bind": 1}}, ("server", "bind"), "a string, not the number 1"),
        ({"server": {"allow_external_bind": 1}}, ("server", "allow_external_bind"), "true or false, not the number 1"),
        ({"server": {"max_body_mb": 0}}, ("server", "max_body_mb"), "a whole number of at least 1, not the number 0"),
        ({"budgets": {"day": {"stop": -1}}}, ("budgets", "day", "stop"), "a number of at least 0, not the number -1"),
        ({"metrics": {"port": 70000}}, ("metrics", "port"), "a whole number from 0 to 65535, not the number 70000"),
        ({"limits": {"heartbeat_seconds": 0}}, ("limits", "heartbeat_seconds"), "a number above 0, not the number 0"),
        ({"server": {"allowed_hosts": "a"}}, ("server", "allowed_hosts"), "a list of strings, not the string"),
        ({"server": {"allowed_hosts": [1]}}, ("server", "allowed_hosts"), "a list of strings, not a list"),
        ({"server": 3}, ("server",), "`server` must be a table, not the number 3"),
        ({"providers": []}, ("providers",), "a table, not a list"),
        ({"routes": {"a": 1}}, ("routes",), "each written [[routes]], not a table"),
        ({"routes": [{"to": "x"}]}, ("routes", 0), "`match` is missing in [[routes]]"),
        ({"aliases": {"a": 1}}, ("aliases", "a"), "`aliases.a` must be a string"),
        ({"log": {"level": "loud"}}, ("log", "level"), 'one of "debug", "info", "warning", "error"'),
        ({"routes": [{"match": {"model": 3}, "to": "x"}]}, ("routes", 0, "match", "model"), "a string or a list of"),
        ({"providers": {"x": {"auth": 1}}}, ("providers", "x", "auth"), "expected a secret reference"),
    ],
)
def test_wrong_types(table: dict[str, object], path: tuple[object, ...], message: str) -> None:
    """A wrong value is named with its place, what was expected, and what was found."""
    (found,) = problems(table)
    assert found.path == path
    assert message in found.message


def test_unknown_keys_have_a_near_miss() -> None:
    """An unknown key is an error, with the key that was probably meant, or all there are."""
    first, second = problems({"server": {"prot": 1}, "log": {"zzz": 1}})
    assert first == Problem(("server", "prot"), "`prot` is unknown in [server]", "did you mean `port`?")
    assert second.hint == "known here: areas, file, level"


def test_every_problem_is_found() -> None:
    """One run tells all that is wrong, not only the first."""
    table = {"server": {"port": "x", "bnd": 1}, "log": {"level": 1}, "routes": [{"match": {}, "to": 1, "name": 2}]}
    assert len(problems(table)) == 5


def test_long_strings_are_not_repeated() -> None:
    """A key pasted into the wrong place does not come back in the message."""
    (found,) = problems({"server": {"port": "sk-planted-8c1f0e-and-more"}})
    assert "planted" not in found.message


def test_near_miss() -> None:
    """Case does not matter, and what is far from everything has no near miss."""
    assert near_miss("DeepSeak", ["deepseek", "openai"]) == "deepseek"
    assert near_miss("qqq", ["deepseek"]) is None
    assert near_miss("prot", ["bind", "port"]) == "port"
    assert near_miss("nowhere", ["other"]) is None
    assert near_miss("Vai", ["main", "via"]) == "via"
    assert suggest("qqq", ["b", "a"]) == "known here: a, b"
    assert suggest("qqq", []) is None


def test_type_at() -> None:
    """The type of a value is found through tables and mappings; unknown keys have none."""
    assert type_at(Config, ("server", "allow_external_bind")) is bool
    assert type_at(Config, ("providers", "any", "auth")) is SecretRef
    assert type_at(Config, ("aliases", "any")) is str
    assert type_at(Config, ("server", "nope")) is None
    assert type_at(Config, ("server", "port", "deeper")) is None


def test_problem_text() -> None:
    """A problem is printed as `FILE:LINE: message` with its hint below."""
    assert Problem((), "bad", "do", "f:1").text == "f:1: bad\nhint: do"
    assert Problem((), "bad").text == "bad"


def test_a_table_may_know_all_its_keys() -> None:
    """Where only some words mean anything, others are none."""
    found = problems({"log": {"areas": {"upstraem": "debug", "auth": "loud", "call": "error"}}})
    assert [problem.message for problem in found] == [
        "`upstraem` is unknown in [log.areas]",
        '`log.areas.auth` must be one of "debug", "info", "warning", "error", not the string "loud"',
    ]
    assert found[0].hint == "did you mean `upstream`?"
