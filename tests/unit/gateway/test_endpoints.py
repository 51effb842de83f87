"""URL to meaning."""

from __future__ import annotations

import pytest

from strowger.errors import ClientError, UnknownPath
from strowger.gateway.endpoints import Verb, match

ANTHROPIC = {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize(
    "method, path, verb, dialect",
    [
        ("POST", "/v1/messages", Verb.CREATE, "anthropic"),
        ("POST", "/v1/messages/", Verb.CREATE, "anthropic"),
        ("POST", "/v1/messages/count_tokens", Verb.COUNT_TOKENS, "anthropic"),
        ("POST", "/v1/chat/completions", Verb.CREATE, "openai_chat"),
        ("POST", "/chat/completions", Verb.CREATE, "openai_chat"),
        ("POST", "/v1/v1/messages", Verb.CREATE, "anthropic"),
        ("POST", "/messages", Verb.CREATE, "anthropic"),
        ("POST", "/messages/count_tokens", Verb.COUNT_TOKENS, "anthropic"),
        ("POST", "/api/v1/messages", Verb.CREATE, "anthropic"),
        ("POST", "/api/v1/chat/completions", Verb.CREATE, "openai_chat"),
        ("GET", "/api/models", Verb.MODELS, "openai_chat"),
        ("POST", "/v1/v1/chat/completions", Verb.CREATE, "openai_chat"),
        ("HEAD", "/", Verb.HELLO, "openai_chat"),
        ("HEAD", "/api/hello", Verb.HELLO, "openai_chat"),
        ("GET", "/healthz", Verb.HEALTH, "openai_chat"),
    ],
)
def test_paths(method: str, path: str, verb: Verb, dialect: str) -> None:
    """What clients call, with the slips in their base URLs that are common."""
    endpoint = match(method, path, {}, ())
    assert (endpoint.verb, endpoint.dialect) == (verb, dialect)


def test_the_model_list_speaks_the_clients_dialect() -> None:
    """Only Anthropic's clients send a version header."""
    assert match("GET", "/v1/models", ANTHROPIC, ()).dialect == "anthropic"
    assert match("GET", "/v1/models", {}, ()).dialect == "openai_chat"


def test_model_ids_may_hold_slashes() -> None:
    """`openai/gpt-5` is one id."""
    assert match("GET", "/v1/models/openai/gpt-5", {}, ()).name == "openai/gpt-5"


def test_a_path_may_pin_a_provider() -> None:
    """`/groq/v1/…` goes to groq whatever the model; the client's probes work below it too."""
    endpoint = match("POST", "/groq/v1/chat/completions", {}, ("groq",))
    assert (endpoint.provider, endpoint.verb) == ("groq", Verb.CREATE)
    assert match("HEAD", "/groq/api/hello", {}, ("groq",)).verb is Verb.HELLO
    assert match("HEAD", "/groq", {}, ("groq",)).verb is Verb.HELLO


@pytest.mark.parametrize(
    "path, dialect, rest",
    [
        ("/codex/0199-a7/responses", "openai_responses", Verb.CREATE),
        ("/codex/0199-a7/v1/responses", "openai_responses", Verb.CREATE),
        ("/codex/0199-a7/chat/completions", "openai_chat", Verb.CREATE),
    ],
)
def test_a_path_may_name_the_conversation(path: str, dialect: str, rest: Verb) -> None:
    """Below a provider's name, as ccproxy-api has it."""
    endpoint = match("POST", path, {}, ("codex",))
    assert (endpoint.provider, endpoint.verb, endpoint.dialect) == ("codex", rest, dialect)
    assert endpoint.session == "0199-a7"
    assert match("POST", "/codex/responses", {}, ("codex",)).session == ""


def test_a_provider_may_be_called_as_a_word_that_says_nothing() -> None:
    """It goes before."""
    assert match("POST", "/api/v1/messages", {}, ("api",)).provider == "api"


def test_a_provider_that_is_not_there_is_named() -> None:
    """And what there is: this is a base URL that somebody took from another program's manual."""
    with pytest.raises(UnknownPath, match="no provider is called 'anthropic'") as caught:
        match("POST", "/anthropic/v1/messages", {}, ("groq",))
    assert caught.value.hint == "/v1/messages goes where the configuration says; there are also /groq/v1/messages"


@pytest.mark.parametrize("path", ["/v2/messages", "/files", "/nobody/v1/files", "/groq/_strowger/status"])
def test_unknown_paths_say_what_is_served(path: str) -> None:
    """The hint is what helps."""
    with pytest.raises(UnknownPath) as caught:
        match("POST", path, {}, ("groq",))
    assert "/v1/messages" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "path, headers, dialect, provider, name",
    [
        ("/v1/files", {}, "openai_chat", None, "/v1/files"),
        ("/v1/files", ANTHROPIC, "anthropic", None, "/v1/files"),
        ("/v1/messages/batches/b1", {}, "anthropic", None, "/v1/messages/batches/b1"),
        ("/v1beta/cachedContents", {}, "gemini", None, "/v1beta/cachedContents"),
        ("/groq/v1/embeddings/", {}, "openai_chat", "groq", "/v1/embeddings"),
        ("/groq/files", {}, "openai_chat", "groq", "/files"),
    ],
)
def test_what_is_none_of_ours_is_a_providers(
    path: str, headers: dict[str, str], dialect: str, provider: str | None, name: str
) -> None:
    """Below a version as vendors have it, or below a provider's name; with any method that means a thing."""
    for method in ("GET", "DELETE", "POST"):
        found = match(method, path, headers, ("groq",))
        assert (found.verb, found.dialect, found.provider, found.name) == (Verb.OTHER, dialect, provider, name)
    with pytest.raises(UnknownPath):
        match("TRACE", path, headers, ("groq",))


def test_the_wrong_method_is_named() -> None:
    """A GET of a POST endpoint is a mistake of its own."""
    with pytest.raises(ClientError, match="POST, not GET"):
        match("GET", "/v1/messages", {}, ())
