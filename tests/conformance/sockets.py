"""The verbatim lane for real: every recording through a running gateway, between a replaying upstream and a raw client.

The upstream checks the request by hash and gives the recorded answer with its status, headers and framing, in pieces;
the client reads bytes.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator

import aiohttp
import anyio
from aiohttp import web

from tests.conformance import lanes
from tests.conformance.naive import recorded
from tests.conformance.outcome import Outcome
from tests.conformance.recordings import Answered, all_answers, path_of
from tests.conformance.verbatim import cut_off, untouched
from tests.integration.gateway import rig

CLIENTS = 8
NUMBER = "x-recording"
_NOT_REPLAYED = {
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "keep-alive",
    "server",
    "set-cookie",
    "trailer",
    "transfer-encoding",
}


async def exchanged(dialect: str) -> Outcome:
    """Every recorded answer to its recorded request, over kept connections."""
    outcome = Outcome()
    cases = all_answers(dialect)
    arrived: dict[int, bytes] = {}

    async def replay(request: web.Request) -> web.StreamResponse:
        number = int(request.headers[NUMBER])
        arrived[number] = await request.read()
        return await _replay(request, cases[number])

    async with rig.upstream(replay) as url:
        # answers are referred to that only the recorded upstream has
        kept = {"capabilities": {"stateful": True}} if dialect == "openai_responses" else {}
        provider = rig.provider(dialect, url, auth="client", **kept)
        async with rig.gateway(rig.config({"replay": provider}), anthropic_hosts=(url,)) as gateway:
            waiting = iter(range(len(cases)))
            async with anyio.create_task_group() as clients:
                for _ in range(CLIENTS):
                    clients.start_soon(_client, dialect, gateway, cases, waiting, arrived, outcome)
    return outcome


async def _client(
    dialect: str,
    gateway: rig.Rig,
    cases: tuple[Answered, ...],
    waiting: Iterator[int],
    arrived: dict[int, bytes],
    outcome: Outcome,
) -> None:
    for number in waiting:
        case = cases[number]
        headers = {"content-type": "application/json", NUMBER: str(number), "authorization": "Bearer of-the-client"}
        url = gateway.url + path_of(dialect, case.spot)
        async with gateway.session.post(url, data=case.request, headers=headers) as response:
            received = await response.read()
        if response.status >= 400 and _only_an_error(dialect, case):
            outcome.excluded["a stream that is nothing but an error: the client gets its status"] += 1
            continue
        outcome.count("recordings")
        sent = arrived.get(number, b"")
        wrong = [] if _hash(sent) == _hash(case.request) else [f"the request became {sent[:60]!r}"]
        outcome.check("requests equal by hash", case.name, wrong)
        outcome.check("answers equal by hash", case.name, _differences(dialect, case, response, received))


def _differences(dialect: str, case: Answered, response: aiohttp.ClientResponse, received: bytes) -> list[str]:
    wrong = []
    failed = case.shape == "body" and case.unfit is None and recorded(dialect, case).ending == "error"
    if response.status != case.status and not (failed and response.status >= 400):
        # an error under a status of success gets one of failure
        wrong.append(f"status {case.status} became {response.status}")
    kind = case.headers.get("content-type", _kind(case))
    given = response.headers.get("content-type", "")
    if given != kind and not (failed and given.partition(";")[0] == kind.partition(";")[0]):
        wrong.append(f"content type {kind} became {given}")
    cut = case.shape == "stream" and recorded(dialect, case).ending == "cut"
    return wrong + (cut_off if cut else untouched)(case.body, received)


def _only_an_error(dialect: str, case: Answered) -> bool:
    if case.shape != "stream":
        return False
    said = recorded(dialect, case)
    return said.ending == "error" and not said.pieces


async def _replay(request: web.Request, case: Answered) -> web.StreamResponse:
    headers = {name: value for name, value in case.headers.items() if name not in _NOT_REPLAYED}
    headers.setdefault("content-type", _kind(case))
    body = case.body
    if case.headers.get("content-encoding") == "gzip":
        headers["content-encoding"] = "gzip"
        body = gzip.compress(body, 1)
    if case.shape != "stream" and case.headers.get("transfer-encoding") != "chunked":
        return web.Response(status=case.status, headers=headers, body=body)
    response = web.StreamResponse(status=case.status, headers=headers)
    await response.prepare(request)
    for piece in lanes.at_random(body, case.name, longest=4000):
        await response.write(piece)
    await response.write_eof()
    return response


def _kind(case: Answered) -> str:
    return "text/event-stream" if case.shape == "stream" and case.spot.form != "array" else "application/json"


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
