"""`strowger demo`: the gateway at work without any account, as a client sees it.

Starts the gateway on the built-in demo provider and is its client: an Anthropic streaming request over HTTP, through
translation to a provider that speaks OpenAI Chat, printed as it comes; the tool that is called is run, and its result
sent back. Then the session is switched to another model, in the middle of the conversation, and goes on. At the end
the gateway itself is asked what happened. Nothing here has a shortcut into the gateway.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import click
import msgspec

from strowger import __version__
from strowger.cli.loop import run_async
from strowger.cli.render import milliseconds, table
from strowger.client import Admin
from strowger.demo.tools import allowed
from strowger.dialects.framing import SSEDecoder
from strowger.errors import Malformed, UpstreamError
from strowger.launcher.host import hosted, quiet_log
from strowger.launcher.setup import demo_setup, ephemeral

Json = dict[str, Any]

PROMPT = "Run `echo hello from strowger` with the tool you have, and tell me what it says."
MODEL = "claude-demo"
OTHER = "demo:demo-fast"
GO_ON = "Now tell me in a word how that went."
BASH: Json = {
    "name": "Bash",
    "description": "Runs a shell command and gives its output.",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
}


@click.command()
@click.option("--prompt", default=PROMPT, help="What to ask the demo model.")
def demo(prompt: str) -> None:
    """Show the gateway at work, without any account.

    A built-in model stand-in answers over a real socket. The request is an Anthropic one, the provider speaks OpenAI
    Chat: what is printed went through the gateway's translation, both ways.
    """
    run_async(lambda: _show(prompt))


async def _show(prompt: str) -> None:
    setup = ephemeral(demo_setup())
    async with hosted(setup, env=os.environ, kind="demo", log=quiet_log(setup.config, os.environ)) as host:
        _say(f"strowger {__version__} listens on {host.url}; its only provider is the built-in demo model.")
        _say(f"POST {host.url}/v1/messages, streaming, model {MODEL}, with one tool\n")
        click.echo(f"{click.style('you', bold=True)}   {prompt}\n")
        messages: list[Json] = []
        async with (
            Admin(host.url, host.gateway.access.admin_token) as admin,
            aiohttp.ClientSession(headers={"anthropic-version": "2023-06-01"}) as http,
        ):
            launch = await admin.open_launch("demo", os.getpid())
            http.headers["x-api-key"] = launch.token
            flows = await _converse(http, host.url, messages, prompt)
            await admin.switch(launch.id, OTHER)
            _say(f"strowger switch demo {OTHER}: the same session goes on with another model\n")
            click.echo(f"{click.style('you', bold=True)}   {GO_ON}\n")
            flows += await _converse(http, host.url, messages, GO_ON)
            await _report(admin, flows)


async def _converse(http: aiohttp.ClientSession, url: str, messages: list[Json], prompt: str) -> list[str]:
    """The tool loop, as any agent does it: ask, run what is called, send the results, until nothing is called."""
    messages.append({"role": "user", "content": prompt})
    flows = []
    while True:
        content: list[Json] = []
        flows.append(await _turn(http, url, messages, content))
        messages.append({"role": "assistant", "content": content})
        calls = [block for block in content if block["type"] == "tool_use"]
        if not calls:
            return flows
        messages.append({"role": "user", "content": [await _result(call) for call in calls]})


async def _turn(http: aiohttp.ClientSession, url: str, messages: list[Json], content: list[Json]) -> str:
    """One request: prints the answer as it comes, collects it in `content`, gives the id of its flow."""
    body = {"model": MODEL, "max_tokens": 1024, "stream": True, "tools": [BASH], "messages": messages}
    async with http.post(f"{url}/v1/messages", json=body) as response:
        if response.status != 200:
            raise UpstreamError(f"the gateway answered with status {response.status}: {await response.text()}")
        async for event in _events(response):
            _print_event(event, content)
        return response.headers.get("x-strowger-flow", "")


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[Json]:
    frames = SSEDecoder()
    async for data in response.content.iter_any():
        for frame in frames.feed(data):
            yield msgspec.json.decode(frame.data)


def _print_event(event: Json, content: list[Json]) -> None:
    """Print what an event adds, and add it to the message."""
    match event:
        case {"type": "content_block_start", "content_block": block}:
            content.append(block)
            title = f"tool {block['name']} " if block["type"] == "tool_use" else f"{block['type']}\n"
            click.secho(title, bold=True, nl=False)
            if block["type"] == "tool_use":
                block["input"] = ""
        case {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": text}}:
            content[-1]["thinking"] += text
            click.secho(text, dim=True, nl=False)
        case {"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": signature}}:
            content[-1]["signature"] = signature
        case {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}:
            content[-1]["text"] += text
            click.echo(text, nl=False)
        case {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": text}}:
            content[-1]["input"] += text
            click.secho(text, fg="cyan", nl=False)
        case {"type": "content_block_stop"}:
            if content[-1]["type"] == "tool_use":
                content[-1]["input"] = json.loads(content[-1]["input"] or "{}")
            click.echo("\n")
        case {"type": "error", "error": error}:
            raise Malformed(f"the stream ended with an error: {error.get('message')}")


async def _result(call: Json) -> Json:
    """Run a call's command, if it is one of the harmless ones that the demo model may ask for."""
    command = str(call["input"].get("command", ""))
    if allowed(command):
        # Without a shell: what is run is the program that was looked at, with its words.
        done = await anyio.run_process(shlex.split(command), check=False, cwd=Path.cwd())
        output = (done.stdout + done.stderr).decode("utf-8", "replace")
    else:
        output = "this demo does not run that"
    click.echo(f"{click.style('ran', bold=True)}   {output.rstrip()}\n")
    return {"type": "tool_result", "tool_use_id": call["id"], "content": output}


def _losses(losses: list[Json]) -> str:
    """What could not be carried across: in words where it may matter, as names where it changes nothing."""
    told = [f"{loss['path']}: {loss['reason']}" for loss in losses if loss["severity"] != "info"]
    quiet = [loss["path"] for loss in losses if loss["severity"] == "info"]
    if quiet:
        told.append(f"without effect: {', '.join(quiet)}")
    return "; ".join(told) or "none"


async def _report(admin: Admin, ids: list[str]) -> None:
    """What the gateway has kept of the calls."""
    _say("What happened, as the gateway tells it:")
    for number, id in enumerate(ids, 1):
        flow = await admin.flow(id)
        counted = flow["tokens"]
        rows = [
            (f"call {number}", f"{flow['method']} {flow['path']}, {flow['status']}, {flow['outcome']}"),
            ("  route", f"{flow['model']} → {flow['provider']}:{flow['upstream_model']} ({flow['route']})"),
            ("  lane", f"{flow['lane']} ({flow['dialect']} → {flow['upstream_dialect']})"),
            ("  losses", _losses(flow["losses"])),
            ("  tokens", ", ".join(f"{count} {name}" for name, count in counted.items()) or "none counted"),
            ("  time", f"first byte {milliseconds(flow['first_byte_ms'])}, all {milliseconds(flow['duration_ms'])}"),
            ("  flow", flow["id"]),
        ]
        for line in table(rows):
            click.echo(line)
    _say("\nNext: `strowger config init`, then `strowger run claude`; or `strowger run --demo claude` first.")


def _say(line: str) -> None:
    click.secho(line, dim=True)
