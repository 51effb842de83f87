"""Claude Code itself on the strict fakes of clouds and of Kimi Code, and in its own cloud modes in front of others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e import clients
from tests.e2e.clients import claude, required
from tests.e2e.crossings import tail
from tests.e2e.exchange import TOKEN, Exchange, Started, clean_env, started
from tests.fakes.azure import KEY as AZURE_KEY
from tests.fakes.azure import FakeAzure
from tests.fakes.bedrock import PROFILE, FakeBedrock
from tests.fakes.brain import RESULT, SECOND_RESULT
from tests.fakes.gemini import FakeGemini
from tests.fakes.gemini_flavours import VERTEX
from tests.fakes.kimi import KEY as KIMI_KEY
from tests.fakes.kimi import FakeKimi
from tests.fakes.server import FakeServer
from tests.fakes.vertex import TOKEN as ACCESS
from tests.fakes.vertex import FakeVertex

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(400)]

SECRET = "aws-secret-that-is-only-signed-with"
PLACE = "/v1/projects/my-project/locations/us-east5/publishers"
CONFIG = """
[server]
port = 0
client_token = "env:E2E_TOKEN"
[retries]
attempts = 1
[providers.bedrock]
base_url = "{bedrock}"
auth = "aws"
region = "us-east-1"
[providers.vertex-anthropic]
base_url = "{claude}{place}/anthropic"
auth = "env:E2E_ACCESS"
[providers.vertex]
base_url = "{gemini}{place}/google"
auth = "env:E2E_ACCESS"
[providers.azure]
base_url = "{azure}/openai/v1"
auth = "env:E2E_AZURE"
api_version = "2024-10-21"
[providers.kimi]
base_url = "{kimi}/coding/v1"
auth = "env:E2E_KIMI"
[providers.kimi-anthropic]
base_url = "{kimi}/coding"
auth = "env:E2E_KIMI"
"""
ROUTES = {
    "bedrock": ("bedrock", f"bedrock:{PROFILE}"),
    "vertex": ("gemini", "vertex:gemini-3.5-flash"),
    "vertex-anthropic": ("claude", "vertex-anthropic:claude-sonnet-4-5@20250929"),
    "azure": ("azure", "azure:gpt-5"),
    "kimi": ("kimi", "kimi:kimi-for-coding"),
    "kimi-anthropic": ("kimi", "kimi-anthropic:kimi-for-coding"),
}


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Started, dict[str, FakeServer]]]:
    """A gateway in front of all of them."""
    home = tmp_path_factory.mktemp("clouds")
    fakes: dict[str, FakeServer] = {
        "bedrock": FakeBedrock(tokens=(), secrets={"AKIAE2E": SECRET}),
        "claude": FakeVertex(),
        "gemini": FakeGemini(VERTEX, keys=(ACCESS,)),
        "azure": FakeAzure(),
        "kimi": FakeKimi(),
    }
    env = {
        **clean_env(home),
        "E2E_TOKEN": TOKEN,
        "E2E_ACCESS": ACCESS,
        "E2E_AZURE": AZURE_KEY,
        "E2E_KIMI": KIMI_KEY,
        "AWS_ACCESS_KEY_ID": "AKIAE2E",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with ExitStack() as stack:
        for fake in fakes.values():
            stack.enter_context(fake.in_thread())
        config = home / "config.toml"
        config.write_text(CONFIG.format(place=PLACE, **{name: fake.base_url for name, fake in fakes.items()}))
        config.chmod(0o600)
        secrets = (TOKEN, ACCESS, AZURE_KEY, KIMI_KEY, SECRET)
        yield stack.enter_context(started(config, home, env, secrets)), fakes


@pytest.mark.parametrize("route", ROUTES)
def test_tool_loop(clouds: tuple[Started, dict[str, FakeServer]], home: Path, route: str) -> None:
    """It runs its shell tool twice and tells what the tools said; no fake had anything to refuse."""
    gateway, fakes = clouds
    name, model = ROUTES[route]
    fakes[name].forget()
    program = required(clients.claude_329(), "claude-2.1.329")
    ran = claude(program, home, gateway.base_url, "RUN_TOOLS", "--model", model)
    seen = fakes[name].inferences()
    assert [request.refused for request in seen if request.refused] == []
    assert (ran.code, ran.result["is_error"]) == (0, False), ran.result
    assert [word for word in (RESULT, SECOND_RESULT) if word not in ran.result["result"]] == []
    assert not any(TOKEN in str(request.headers) for request in seen)


@pytest.mark.parametrize(
    "mode, provider", [("BEDROCK", "deep"), ("VERTEX", "cloud"), *tail(("BEDROCK", "cloud"), ("VERTEX", "deep"))]
)
def test_its_own_cloud_modes(exchange: Exchange, home: Path, mode: str, provider: str) -> None:
    """Claude Code that believes to be at a cloud has the same tool loop on any provider."""
    model = {"cloud": "cloud:claude-opus-5-5", "deep": "deep:deepseek-v4-pro"}[provider]
    env = {
        f"CLAUDE_CODE_USE_{mode}": "1",
        f"CLAUDE_CODE_SKIP_{mode}_AUTH": "1",
        "ANTHROPIC_BEDROCK_BASE_URL": exchange.base_url,
        "ANTHROPIC_VERTEX_BASE_URL": f"{exchange.base_url}/v1",
        "ANTHROPIC_VERTEX_PROJECT_ID": "p",
        "CLOUD_ML_REGION": "us-east5",
        "AWS_REGION": "us-east-1",
        "ANTHROPIC_MODEL": model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
        "ANTHROPIC_CUSTOM_HEADERS": f"x-strowger-token: {TOKEN}",
    }
    program = required(clients.claude_329(), "claude-2.1.329")
    ran = claude(program, home, exchange.base_url, "RUN_TOOLS", **env)
    assert (ran.code, ran.result["is_error"]) == (0, False), ran.result
    assert [word for word in (RESULT, SECOND_RESULT) if word not in ran.result["result"]] == []
    assert exchange.upstream(provider)
    came = {"BEDROCK": "/model/", "VERTEX": "/v1/projects/p/"}[mode]
    assert any(flow["path"].startswith(came) for flow in exchange.flows())
