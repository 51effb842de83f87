"""/v1/models: what can be asked for, in the dialect of whoever asks, also when providers do not answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from strowger.config import load
from strowger.config.schema import Match, RouteConfig
from strowger.providers.presets import PRESETS
from tests.integration.gateway import rig as rigging

pytestmark = pytest.mark.anyio

ANTHROPIC = {"anthropic-version": "2023-06-01"}


class Lister:
    """A Chat upstream with a list of models."""

    def __init__(self, *models: str, status: int = 200) -> None:
        self.models = models
        self.status = status
        self.keys: list[str | None] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers.get("authorization"))
        data = [{"id": model, "object": "model", "created": 1, "owned_by": "vendor"} for model in self.models]
        return web.json_response({"object": "list", "data": data}, status=self.status)


async def models(rig: rigging.Rig, path: str = "/v1/models", **headers: str) -> tuple[int, Any]:
    """Status and decoded answer."""
    async with rig.session.get(rig.url + path, headers=headers) as response:
        return response.status, msgspec.json.decode(await response.read())


async def test_both_dialects_list_what_the_provider_has() -> None:
    """The provider is asked with its key, and each client reads the list in its own shape."""
    lister = Lister("small", "large")
    async with rigging.upstream(lister) as url:
        config = rigging.config({"vendor": rigging.provider("openai_chat", url)})
        async with rigging.gateway(config) as rig:
            _, chat = await models(rig)
            _, messages = await models(rig, **ANTHROPIC)
    assert chat["object"] == "list"
    assert {"small", "large"} <= {entry["id"] for entry in chat["data"]}
    assert messages["has_more"] is False
    assert all(entry["type"] == "model" for entry in messages["data"])
    assert lister.keys == [f"Bearer {rigging.KEY}"]


@pytest.mark.parametrize(
    "asked, model", [("claude-opus-5-5", "demo"), ("claude-haiku-5-5", "demo-fast"), ("demo-fast", "demo-fast")]
)
async def test_a_bare_demo_provider_is_enough(asked: str, model: str, tmp_path: Path) -> None:
    """`[providers.demo]` alone answers whatever Claude Code asks for, and lists its own models."""
    file = tmp_path / "config.toml"
    file.write_text("[providers.demo]\n")
    loaded = load(file, env={}, presets=PRESETS).config
    async with rigging.gateway(loaded, demo_pace=0) as rig:
        status, headers, body = await rig.post("/v1/messages", rigging.anthropic_request(model=asked), **ANTHROPIC)
        _, listed = await models(rig)
    assert (status, headers["x-strowger-route"]) == (200, f"demo:{model}"), body
    assert [entry["id"] for entry in listed["data"]] == ["demo", "demo-fast"]


async def test_claude_code_finds_every_model() -> None:
    """Claude Code offers only ids that begin with `claude-`: each model has one, and asking for it leads there."""
    async with rigging.upstream(Lister("small")) as url:
        config = rigging.config({"vendor": rigging.provider("openai_chat", url)})
        async with rigging.gateway(config) as rig:
            _, listed = await models(rig, **ANTHROPIC)
            found = [entry["id"] for entry in listed["data"] if entry["id"].startswith("claude-")]
            assert found
            status, _ = await models(rig, f"/v1/models/{found[0]}", **ANTHROPIC)
    assert status == 200


async def test_a_provider_that_fails_is_left_out() -> None:
    """One provider's trouble does not hide the models of the others, nor those that routes name."""
    async with rigging.upstream(Lister("small")) as good, rigging.upstream(Lister(status=500)) as bad:
        providers = {
            "good": rigging.provider("openai_chat", good),
            "bad": rigging.provider("openai_chat", bad),
        }
        route = RouteConfig(match=Match(model="named"), to="bad:one")
        async with rigging.gateway(rigging.config(providers, [route])) as rig:
            status, listed = await models(rig)
    ids = {entry["id"] for entry in listed["data"]}
    assert status == 200
    assert any("small" in each for each in ids)
    assert "named" in ids


async def test_lists_are_kept() -> None:
    """Asking twice asks the provider once."""
    lister = Lister("small")
    async with rigging.upstream(lister) as url:
        config = rigging.config({"vendor": rigging.provider("openai_chat", url)})
        async with rigging.gateway(config) as rig:
            assert await models(rig) == await models(rig)
    assert len(lister.keys) == 1


async def test_an_unknown_model_is_told() -> None:
    """Asking for one that is not there is a 404 in each dialect: Anthropic's has a type of its own for that."""
    async with rigging.upstream(Lister("small")) as url:
        route = RouteConfig(match=Match(model="named"), to="vendor:small")
        config = rigging.config({"vendor": rigging.provider("openai_chat", url)}, [route])
        async with rigging.gateway(config) as rig:
            status, chat = await models(rig, "/v1/models/nobody")
            also, messages = await models(rig, "/v1/models/nobody", **ANTHROPIC)
            google, gemini = await models(rig, "/v1beta/models/nobody")
    assert (status, also, google) == (404, 404, 404)
    assert chat["error"]["code"] == "model_not_found"
    assert (messages["type"], messages["error"]["type"]) == ("error", "not_found_error")
    assert "nobody" in messages["error"]["message"]
    assert gemini["error"]["status"] == "NOT_FOUND"


async def test_the_owner_is_told_why_a_list_is_missing() -> None:
    """By provider: an empty list alone does not say whether the key, the address or the vendor is at fault."""
    async with rigging.upstream(Lister("small")) as good, rigging.upstream(Lister(status=401)) as bad:
        providers = {
            "good": rigging.provider("openai_chat", good),
            "bad": rigging.provider("openai_chat", bad),
            "down": rigging.provider("openai_chat", "http://127.0.0.1:9"),
        }
        async with rigging.gateway(rigging.config(providers)) as rig:
            table = rig.gateway.line.routes
            assert rig.gateway.models.problems(table) == {}
            await rig.gateway.models.entries(table)
            problems = rig.gateway.models.problems(table)
    assert set(problems) == {"bad", "down"}
    assert "status 401" in problems["bad"]
    assert "127.0.0.1:9" in problems["down"]
