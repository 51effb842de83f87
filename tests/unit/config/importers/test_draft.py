"""What importers are built from."""

from __future__ import annotations

import pytest

from strowger.config.importers.draft import Draft, escaped, flag, free_name, number, port, text, texts_in, variable_in
from strowger.config.importers.hosts import Address
from strowger.providers.presets import PRESETS


@pytest.fixture
def draft() -> Draft:
    return Draft("x", PRESETS, {"SET": "filled"})


@pytest.mark.parametrize("written", ["$KEY", "${KEY}", "os.environ/KEY"])
def test_variables(draft: Draft, written: str) -> None:
    """Each spelling of a variable becomes a reference to it."""
    assert variable_in(written) == "KEY"
    assert draft.secret("w", written) == "env:KEY"


@pytest.mark.parametrize("written", ["file:x", "client", "abc:def", "command:rm -rf /", "pre-$KEY", "login:codex"])
def test_no_literal_turns_into_a_reference(draft: Draft, written: str) -> None:
    """A secret whose text would mean something else in our file, such as a command, is left and said."""
    assert draft.secret("w", written) is None
    assert draft.left


def test_plain(draft: Draft) -> None:
    """Variables in what is no secret are filled in; one that is not set is said."""
    assert draft.plain("w", "https://${SET}/v1") == "https://filled/v1"
    assert draft.plain("w", "os.environ/SET") == "filled"
    assert draft.plain("w", "$UNSET/v1") is None
    assert "UNSET" in draft.left[0].text


def test_provider_twice(draft: Draft) -> None:
    """The same provider is there once; one with another key beside it."""
    where = Address("https://api.deepseek.com", "openai_chat")
    assert draft.provider("a", "deepseek", where, {"auth": "env:A"}) == "deepseek"
    assert draft.provider("b", "deepseek", where, {"auth": "env:A"}) == "deepseek"
    assert draft.provider("c", "deepseek", where, {"auth": "env:B"}) == "deepseek-2"
    assert draft.section("providers", "deepseek-2") == {"preset": "deepseek", "auth": "env:B"}
    assert draft.provider("d", "deepseek", where, {"auth": "env:B"}) == "deepseek-2"


def test_models_that_a_preset_does_not_know(draft: Draft) -> None:
    """Models are listed where no glob of the preset fits them, beside those globs."""
    name = draft.add("w", "deepseek", {})
    draft.models_of(name, ["deepseek-chat", "odd[1]"])
    assert draft.section("providers", name)["models"] == ["deepseek-*", "odd[[]1]"]


def test_no_address(draft: Draft) -> None:
    """A provider without an address is left."""
    assert draft.provider("w", "n", None, {}) is None
    assert draft.left[0].what == "w"


def test_readers() -> None:
    """Values of other kinds are read as nothing."""
    odd: tuple[object, ...] = (" a ", 5, "", None, True, [], {})
    assert [text(value) for value in odd] == ["a", "5", None, None, None, None, None]
    assert [number(value) for value in ("12", 12, -1, "x", 10**12, "²")] == [12, 12, None, None, None, None]
    assert (port(65536), port("80")) == (None, 80)
    assert (flag("yes"), flag(True), flag(1), flag([])) == (True, True, False, False)
    assert (texts_in("a"), texts_in(["a", None, {}]), texts_in({})) == (["a"], ["a"], [])


def test_names() -> None:
    """Names become ones that a provider may have, and models globs that fit them alone."""
    assert (free_name("my gateway!"), free_name("…"), escaped("a*b")) == ("my-gateway", "imported", "a[*]b")
