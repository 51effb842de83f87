"""The lists of models, in both shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strowger.config.schema import Config, Match, ProviderConfig, RouteConfig
from strowger.errors import BadRequest, ClientError, Malformed
from strowger.providers import build_providers
from strowger.routing import aliases, catalog
from strowger.routing.catalog import Entry, Listed, entries, parse_listing
from strowger.routing.facts import Facts
from strowger.routing.table import RouteTable


def table() -> RouteTable:
    config = Config(
        providers={
            "openai": ProviderConfig(dialect="openai_chat", base_url="https://o.test", models=("gpt-*",)),
            "anthropic": ProviderConfig(dialect="anthropic", base_url="https://a.test", models=("claude-*",)),
            "local": ProviderConfig(dialect="openai_chat", base_url="http://localhost:1"),
        },
        routes=(RouteConfig(match=Match(model=("house-model", "x-*")), to="local:llama"),),
        aliases={"fast": "openai:gpt-5-nano"},
    )
    return RouteTable(config, build_providers(config, env={}))


LISTINGS = {
    "openai": [Listed("gpt-5", created=1), Listed("o9", "Omega 9")],
    "anthropic": [Listed("claude-opus-5", "Claude Opus 5", 1_700_000_000)],
    "local": [Listed("gpt-oss:20b"), Listed("llama")],
    "gone": [Listed("never")],
}


def page(*given: Any, **options: Any) -> dict[str, Any]:
    return json.loads(catalog.anthropic_page(*given, **options))  # type: ignore[no-any-return]


def test_entries() -> None:
    """Aliases, named models and providers' lists; a model that would go elsewhere under its own name is pinned."""
    assert [entry.id for entry in entries(table(), LISTINGS)] == [
        "fast",
        "claude-fast",
        "house-model",
        "claude-local-llama",
        "gpt-5",
        "claude-openai-gpt-5",
        "openai:o9",
        "claude-openai-o9",
        "claude-opus-5",
        "local:gpt-oss:20b",
        "claude-local-gpt-oss:20b",
        "local:llama",
    ]


def test_every_entry_leads_where_it_says() -> None:
    """Whatever is listed can be asked for, and reaches the provider and model of its entry."""
    routes = table()
    for entry in entries(routes, LISTINGS):
        target = routes.match(entry.id).targets[0]
        assert (target.provider.name, target.model) == (entry.provider, entry.model)


def test_claude_code_finds_every_route() -> None:
    """For each target there is an id that Claude Code's discovery keeps."""
    listed = entries(table(), LISTINGS)
    kept = {(entry.provider, entry.model) for entry in listed if aliases.is_discoverable(entry.id)}
    assert kept == {(entry.provider, entry.model) for entry in listed}


def test_anthropic_shape() -> None:
    """Each model has type, id, name and time; times are RFC 3339."""
    shown = page(entries(table(), LISTINGS), limit=1000)
    assert shown["has_more"] is False
    assert (shown["first_id"], shown["last_id"]) == ("fast", "local:llama")
    by_id = {model["id"]: model for model in shown["data"]}
    assert by_id["claude-opus-5"] == {
        "type": "model",
        "id": "claude-opus-5",
        "display_name": "Claude Opus 5",
        "created_at": "2023-11-14T22:13:20Z",
        "lifecycle": "active",
        "max_input_tokens": 1_000_000,
        "max_tokens": 128_000,
    }
    assert by_id["claude-openai-gpt-5"]["display_name"] == "gpt-5 (openai)"
    assert by_id["claude-openai-o9"]["display_name"] == "Omega 9"
    assert by_id["gpt-5"]["display_name"] == "gpt-5"


def test_paging() -> None:
    """Pages forward and backward, as Anthropic's clients ask for them."""
    listed = [Entry(str(number), "p", "m") for number in range(5)]
    assert _page(listed, limit=2) == (["0", "1"], True)
    assert _page(listed, limit=2, after_id="1") == (["2", "3"], True)
    assert _page(listed, limit=2, after_id="3") == (["4"], False)
    assert _page(listed, limit=2, after_id="4") == ([], False)
    assert _page(listed, limit=2, before_id="4") == (["2", "3"], True)
    assert _page(listed, limit=2, before_id="2") == (["0", "1"], False)
    assert _page(listed, limit=0) == (["0"], True)
    assert _page(listed, limit=10**6) == (["0", "1", "2", "3", "4"], False)


def _page(listed: list[Entry], **options: Any) -> tuple[list[str], bool]:
    shown = page(listed, **options)
    return [model["id"] for model in shown["data"]], shown["has_more"]


def test_the_default_page_has_twenty() -> None:
    """Without a limit, twenty, as at Anthropic's."""
    listed = [Entry(str(number), "p", "m") for number in range(30)]
    assert len(page(listed)["data"]) == 20


def test_an_empty_list() -> None:
    """Nothing is a list as well."""
    assert page([]) == {"data": [], "has_more": False, "first_id": None, "last_id": None}
    assert json.loads(catalog.openai_list([])) == {"object": "list", "data": []}


def test_unknown_cursors() -> None:
    """A cursor that is no id is the client's mistake, and names the parameter."""
    for parameter in ("after_id", "before_id"):
        with pytest.raises(BadRequest) as caught:
            page([], **{parameter: "x"})
        assert caught.value.param == parameter


def test_openai_shape() -> None:
    """OpenAI's shape, without the second names for Claude Code."""
    shown = json.loads(catalog.openai_list(entries(table(), LISTINGS)))
    assert shown["object"] == "list"
    assert [model["id"] for model in shown["data"]] == [
        "fast",
        "house-model",
        "gpt-5",
        "openai:o9",
        "claude-opus-5",
        "local:gpt-oss:20b",
        "local:llama",
    ]
    assert shown["data"][2] == {
        "id": "gpt-5",
        "object": "model",
        "created": 1,
        "owned_by": "openai",
        "context_length": 400_000,
        "max_completion_tokens": 128_000,
    }


def test_one_model() -> None:
    """One model by its id, in either shape; others are unknown."""
    listed = entries(table(), LISTINGS)
    assert (
        json.loads(catalog.anthropic_model(catalog.find(listed, "fast")))["display_name"] == "fast → openai:gpt-5-nano"
    )
    assert json.loads(catalog.openai_model(catalog.find(listed, "claude-fast")))["owned_by"] == "openai"
    with pytest.raises(ClientError, match="no model `nope`"):
        catalog.find(listed, "nope")


@pytest.mark.parametrize(
    "body, listed",
    [
        (b'{"object":"list","data":[{"id":"a","created":5,"owned_by":"x"}]}', Listed("a", "", 5)),
        (
            b'{"data":[{"id":"a","display_name":"A","created_at":"2023-11-14T22:13:20Z"}]}',
            Listed("a", "A", 1_700_000_000),
        ),
        (b'{"data":[{"id":"a","created_at":"2023-11-14T22:13:20"}]}', Listed("a", "", 1_700_000_000)),
        (b'{"data":[{"id":"a","name":"A","created":null,"pricing":{}}]}', Listed("a", "A", 0)),
        (b'{"data":[{"id":"models/a","created":1e300}]}', Listed("a")),
        (b'{"data":[{"id":"a","created_at":"soon"}]}', Listed("a")),
        (b'[{"id":"a","context_length":7}]', Listed("a", facts=Facts(7))),
        (b'{"data":[{"id":"a","max_model_len":7,"context_length":null}]}', Listed("a", facts=Facts(7))),
        (b'{"data":[{"id":"a","max_input_tokens":7,"max_tokens":5}]}', Listed("a", facts=Facts(7, 5))),
        (b'{"models":[{"slug":"a","display_name":"A","context_window":7}]}', Listed("a", "A", facts=Facts(7))),
        (
            b'{"models":[{"name":"models/a","displayName":"A","inputTokenLimit":7,"outputTokenLimit":5}]}',
            Listed("a", "A", facts=Facts(7, 5)),
        ),
        (
            b'{"data":[{"id":"a","context_length":7,"top_provider":{"max_completion_tokens":5},'
            b'"architecture":{"input_modalities":["text","image"]}}]}',
            Listed("a", facts=Facts(7, 5, True)),
        ),
        (b'{"data":[{"id":"a","supports_image_in":false}]}', Listed("a", facts=Facts(images=False))),
    ],
)
def test_parse_listing(body: bytes, listed: Listed) -> None:
    """Lists of all makes are read; what is unknown or odd in them does no harm."""
    assert parse_listing(body) == (listed,)


def test_nameless_models_are_left_out() -> None:
    """An item without an id cannot be asked for."""
    assert parse_listing(b'{"data":[{"id":""},{}]}') == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[1]",
        b"{}",
        b'{"error":{}}',
        b'{"data":[1]}',
        b'{"data":"x"}',
        b'{"data":[{"id":"\xff"}]}',
        b'{"x":' + b"[" * 9999,
    ],
)
def test_what_is_no_listing(body: bytes) -> None:
    """Anything else is Malformed, never another exception."""
    with pytest.raises(Malformed):
        parse_listing(body)


def test_a_listed_model_says_more_than_the_table() -> None:
    """What a provider lists beats what we know of the family; what it leaves open is filled in."""
    listings = {"openai": [Listed("gpt-5", facts=Facts(9))]}
    entry = catalog.find(entries(table(), listings), "gpt-5")
    assert entry.facts == Facts(9, 128_000, True)


def test_gemini_shape() -> None:
    """Google's page: names with their prefix, limits, and a token for the next page."""
    listed = entries(table(), LISTINGS)
    first = json.loads(catalog.gemini_page(listed, size=3))
    assert [model["name"] for model in first["models"]] == ["models/fast", "models/house-model", "models/gpt-5"]
    assert first["models"][2]["inputTokenLimit"] == 400_000
    second = json.loads(catalog.gemini_page(listed, size=1000, token=first["nextPageToken"]))
    assert len(second["models"]) == 4
    assert "nextPageToken" not in second
    assert json.loads(catalog.gemini_model(listed[0]))["supportedGenerationMethods"] == [
        "generateContent",
        "countTokens",
    ]
    with pytest.raises(BadRequest, match="pageToken"):
        catalog.gemini_page(listed, token="nobody")


def test_codex_shape() -> None:
    """Every member without which Codex drops the whole list, and OpenAI's list beside it."""
    shown = json.loads(catalog.codex_list(entries(table(), LISTINGS)))
    needed = {
        "slug",
        "display_name",
        "supported_reasoning_levels",
        "shell_type",
        "visibility",
        "supported_in_api",
        "priority",
        "support_verbosity",
        "truncation_policy",
        "experimental_supported_tools",
        "base_instructions",
        "supports_parallel_tool_calls",
    }
    assert all(needed <= model.keys() for model in shown["models"])
    assert [model["slug"] for model in shown["models"]] == [model["id"] for model in shown["data"]]
    by_slug = {model["slug"]: model for model in shown["models"]}
    assert by_slug["gpt-5"]["context_window"] == 400_000


def test_what_codex_lists() -> None:
    """Windows, efforts and what a model takes; what is not for users to choose is known, but not shown."""
    level = [{"effort": "low", "description": "a"}, {"effort": "max", "description": "b"}]
    shown = {"slug": "gpt-5.5", "context_window": 272000, "supported_reasoning_levels": level, "visibility": "list"}
    hidden = {"slug": "gpt-5.4", "visibility": "hide", "input_modalities": ["text"], "use_responses_lite": True}
    listed = parse_listing(json.dumps({"models": [shown, hidden]}).encode())
    assert [(item.id, item.efforts, item.hidden) for item in listed] == [
        ("gpt-5.5", ("low", "max"), False),
        ("gpt-5.4", (), True),
    ]
    assert [item.told() for item in listed] == [{"efforts": ("low", "max")}, {"lite": True, "images": False}]
    found = {entry.id for entry in entries(table(), {"openai": listed})}
    assert "gpt-5.5" in found
    assert "gpt-5.4" not in found
