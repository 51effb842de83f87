"""A gateway in front of a fake, to run the compliance suite of Open Responses itself against.

`python -m tests.integration.conformance.serve anthropic` says what to type in a checkout of
github.com/openresponses/openresponses. The suite expects a model that uses the tool it is offered, and so does this
one. The same cases, in our own words, are in test_open_responses.
"""

from __future__ import annotations

import argparse
import contextlib
from typing import Any

import anyio

from tests.fakes.brain import example
from tests.fakes.script import Call, Reply, Say, Step
from tests.integration.conformance.vendors import DIALECTS, behind

# More calls than the suite makes.
_CALLS = 1000


def answer(body: dict[str, Any]) -> Step:
    """A call of the first tool that has a name, wherever the dialect keeps its tools; else a word."""
    tool = _tool(body.get("tools"))
    return Reply(parts=(Say("Hello."),) if tool is None else (Call(*tool),))


def _tool(offered: Any) -> tuple[str, dict[str, Any]] | None:
    for tool in offered or ():
        inner = tool.get("functionDeclarations")
        if inner:
            return _tool(inner)
        function = tool.get("function", tool)
        if "name" in function:
            schemas = (function.get(key) for key in ("parameters", "input_schema", "parametersJsonSchema"))
            return function["name"], example(next(filter(None, schemas), {}))
    return None


async def _serve(dialect: str) -> None:
    async with behind(dialect) as vendor:
        vendor.fake.script(*[answer] * _CALLS)
        print(
            f"bun run test:compliance --base-url {vendor.rig.url}/v1 --api-key any --model {vendor.model}", flush=True
        )
        await anyio.sleep_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A gateway for the compliance suite of Open Responses.")
    parser.add_argument("dialect", choices=DIALECTS, help="what the upstream speaks")
    with contextlib.suppress(KeyboardInterrupt):
        anyio.run(_serve, parser.parse_args().dialect)
