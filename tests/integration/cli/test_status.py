"""`strowger status` and `strowger models`: what is there, and nothing that must not be seen."""

from __future__ import annotations

import json
import os
from pathlib import Path

from strowger.cli.status import condition, store_lines
from strowger.client import RouteState, StoreState
from strowger.launcher import sessions
from tests.integration.cli.conftest import Served, Strowger


def test_nothing_is_running(strowger: Strowger) -> None:
    """Exit code 1, and what to do about it; JSON says the same without words."""
    done = strowger("status")
    assert (done.returncode, done.stdout) == (1, "")
    assert "hint: `strowger serve`" in done.stderr
    done = strowger("status", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (1, {"gateways": []})


def test_a_running_gateway_is_described(served: Served, strowger: Strowger) -> None:
    """Where, since when, with which providers and what state of their credentials; never a token."""
    (session,) = sessions.running(sessions.directory(os.environ))
    done = strowger("status")
    assert done.returncode == 0
    parts = (served.url, f"process {served.process.pid}", "0 calls", "openai_chat", "none needed", "by name: demo\n")
    assert [part for part in parts if part not in done.stdout] == []
    assert ["*haiku*,", "demo-fast", "demo:demo-fast", "demo"] in [line.split() for line in done.stdout.splitlines()]
    told = strowger("status", "--json")
    (gateway,) = json.loads(told.stdout)["gateways"]
    assert (gateway["url"], gateway["kind"]) == (served.url, "serve")
    assert gateway["status"]["providers"][0]["credential"] == "none"
    for printed in (done, told):
        assert session.admin_token not in printed.stdout + printed.stderr


def test_conditions_in_words() -> None:
    """All that a route asks of a call is told, and nothing that it does not ask."""
    assert condition(RouteState("r")) == "any model"
    full = RouteState(
        name="r",
        model=("a", "b*"),
        request_class=("title",),
        agent=("Explore",),
        subagent=False,
        agent_id=("a1",),
        session=("s*",),
        prompt_over=60_000,
        prompt_under=900_000,
        effort=("max",),
        thinking=True,
        plan=True,
        tool=("web_search*",),
        images=False,
    )
    assert condition(full) == (
        "a, b*; class title; agent Explore; agent id a1; session s*; effort max; tool web_search*; "
        "prompts over 60,000 tokens; prompts under 900,000 tokens; no sub-agents; thinking; plan mode; without pictures"
    )


def test_a_silent_gateway_is_told_apart(strowger: Strowger) -> None:
    """A process that is there but does not answer is not a running gateway."""
    silent = sessions.Session(pid=os.getpid(), url="http://127.0.0.1:9", admin_token="secret-token", started=1.0)
    sessions.write(silent, sessions.directory(os.environ))
    done = strowger("status")
    assert done.returncode == 1
    assert "does not answer" in done.stdout
    assert "secret-token" not in done.stdout + done.stderr


def test_the_demos_models(strowger: Strowger) -> None:
    """Without a running gateway the configuration's are listed: the name to ask for, and where it leads."""
    done = strowger("models", "--demo")
    assert done.returncode == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["demo", "demo:demo"] in lines
    assert ["demo-fast", "demo:demo-fast"] in lines


def test_a_running_gateways_models(served: Served, strowger: Strowger) -> None:
    """A running gateway is asked for what it has; Claude Code's second names are in the JSON only."""
    assert "demo-fast" in strowger("models").stdout
    found = json.loads(strowger("models", "--json").stdout)["models"]
    assert {"id": "claude-demo-demo-fast", "discovery": True}.items() <= found[-1].items() or any(
        model["discovery"] for model in found
    )


def test_no_models_are_told(strowger: Strowger) -> None:
    """Nothing configured is no error, but there is something to be said."""
    done = strowger("models")
    assert (done.returncode, done.stdout) == (0, "")
    assert "config init" in done.stderr


def test_a_provider_without_a_list_is_told(strowger: Strowger, tmp_path: Path) -> None:
    """`no model is configured` would send the user to the wrong place."""
    file = tmp_path / "config.toml"
    file.write_text('[providers.workshop]\ndialect = "openai_chat"\nbase_url = "http://127.0.0.1:9"\n')
    done = strowger("models", "--config", str(file))
    assert (done.returncode, done.stdout) == (0, "")
    assert "warning: workshop lists no models: no connection" in done.stderr
    assert "config init" not in done.stderr
    found = json.loads(strowger("models", "--json", "--config", str(file)).stdout)
    assert (found["models"], list(found["problems"])) == ([], ["workshop"])


def test_trouble_of_the_store_in_words() -> None:
    """What keeps it from writing, and what was lost for it; nothing while all is well."""
    assert list(store_lines(StoreState(on=True, flows=9, written=9))) == []
    full, dropped = store_lines(StoreState(on=True, problem="/x: the disk is full", flows_dropped=1, bodies_dropped=7))
    assert full.endswith(" the store of calls: /x: the disk is full")
    assert dropped.endswith(" were not stored since the start: 1 call, and what was said in 7")
