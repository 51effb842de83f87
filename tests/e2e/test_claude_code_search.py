"""Claude Code's own web search, which asks for the search of its vendor, on a vendor that has another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e import clients
from tests.e2e.clients import claude, required
from tests.e2e.crossings import tail
from tests.e2e.exchange import Exchange
from tests.fakes.gemini_answers import grounded
from tests.fakes.responses_parts import WebSearch
from tests.fakes.script import Reply, Say, call, say

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(400)]

PAGE = "https://a.test/page"
QUERY = "is it so"
FOUND = "It is so."
VERSIONS = {"2.1.329": clients.claude_329, "2.1.197": clients.claude_197}
ROUTES = {
    "responses": ("claude-resp-gpt-5.5", "resp", Reply(parts=(WebSearch(QUERY, (PAGE,)), Say(FOUND)))),
    "codex backend": ("claude-codexb-gpt-5.5", "codexb", Reply(parts=(WebSearch(QUERY, (PAGE,)), Say(FOUND)))),
    "gemini": ("claude-gem-gemini-3-flash-preview", "gem", grounded(FOUND, (PAGE, "A page"), query=QUERY)),
}


@pytest.mark.parametrize(
    "route, version",
    [
        *((route, "2.1.329") for route in ROUTES),
        ("gemini", "2.1.197"),
        *tail(("responses", "2.1.197"), ("codex backend", "2.1.197")),
    ],
)
def test_search(exchange: Exchange, home: Path, version: str, route: str) -> None:
    """The search that it asks for runs at the vendor, and the page that was found is a result of its tool."""
    program = required(VERSIONS[version](), f"claude-{version}")
    model, provider, found = ROUTES[route]
    exchange.vendors[provider].script(call("WebSearch", {"query": QUERY}), found, say("All done."))
    ran = claude(program, home, exchange.base_url, "search", "--model", model, "--allowedTools", "WebSearch")
    assert (ran.code, ran.result["result"]) == (0, "All done."), ran.result
    _, searching, answered = exchange.upstream(provider)
    assert searching.body["tools"] in ([{"type": "web_search"}], [{"googleSearch": {}}])
    output = result(answered.body)
    assert PAGE in output
    assert FOUND in output


def result(body: dict[str, Any]) -> str:
    """What the only call gave, as the vendor is told."""
    if "input" in body:
        [output] = [item["output"] for item in body["input"] if item.get("type") == "function_call_output"]
    else:
        parts = [part for content in body["contents"] for part in content["parts"]]
        [output] = [part["functionResponse"]["response"] for part in parts if "functionResponse" in part]
    return str(output)
