"""What the dialects themselves cost, without a socket: `python -m bench --codecs`.

Requests are turns of one conversation: all but the last words of each have been there before, as with agents.
Each figure is the smallest of many short repeats, which are interleaved over all of them: what else runs on the machine
adds to some repeats, and never takes away. For whoever changes a codec; what a gateway costs, the other modes tell.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from itertools import count

from msgspec import Struct

from bench.others import BLANK_TURN, turn_body
from strowger.config.schema import ProviderConfig
from strowger.dialects.base import Capabilities, DecoderSetup, Dialect, EncoderSetup, Spot
from strowger.gateway.app import DIALECTS
from strowger.ir.events import Event, Finish, PartStart, PartStop, Start, StopReason, TextDelta, Usage, UsageUpdate
from strowger.ir.request import Request, Text
from strowger.providers.base import build_provider
from strowger.providers.presets import PRESETS

_TARGETS = {
    "anthropic": ("anthropic", "claude-opus-5-5"),
    "openai_chat": ("openai", "gpt-5.5"),
    "openai_responses": ("openai-responses", "gpt-5.5"),
    "gemini": ("google", "gemini-3-pro-preview"),
}
_SPOTS = {"gemini": Spot("gemini-3-pro-preview", stream=True)}
_EVENTS = 400
_ROUNDS = 30
_REPEAT_SECONDS = 0.004


class Figure(Struct, frozen=True):
    """One measure in microseconds: of a request, or of one event. `client` or `upstream` is empty where it has none."""

    what: str
    client: str
    upstream: str
    micros: float


def run() -> list[Figure]:
    """Measure everything."""
    jobs = _jobs()
    times: dict[tuple[str, str, str], float] = {}
    counts = {key: _calls_for(work) for key, (work, _) in jobs.items()}
    for _ in range(_ROUNDS):
        for key, (work, units) in jobs.items():
            begun = time.perf_counter()
            for _ in range(counts[key]):
                work()
            each = (time.perf_counter() - begun) / counts[key] / units * 1e6
            times[key] = min(times.get(key, each), each)
    return [Figure(*key, micros) for key, micros in times.items()]


def table(figures: list[Figure]) -> str:
    """The figures as Markdown: requests by direction, as a multiple of Anthropic's to Chat too; events by dialect."""
    found = {(figure.what, figure.client, figure.upstream): figure.micros for figure in figures}
    base = found["carry", "anthropic", "openai_chat"]
    names = list(_TARGETS)
    lines = [
        "The next turn of 93 KB read (peek, parse) and written, in µs; in brackets as a multiple of Anthropic → Chat:",
        "",
        "| from | read | " + " | ".join(f"read, → {name}" for name in names) + " |",
        "|---|---|" + "---|" * len(names),
    ]
    for client in names:
        whole = [found["carry", client, upstream] for upstream in names]
        cells = [f"{micros:.0f} ({micros / base:.2f})" for micros in whole]
        lines.append(f"| {client} | {found['read', client, '']:.0f} | " + " | ".join(cells) + " |")
    lines += ["", "One event of text, in µs:", "", "| | decode | skip | encode |", "|---|---|---|---|"]
    for name in names:
        cells = [f"{found[what, name, '']:.2f}" for what in ("decode", "skip", "encode")]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _calls_for(work: Callable[[], object]) -> int:
    work()
    begun = time.perf_counter()
    work()
    return max(1, int(_REPEAT_SECONDS / max(time.perf_counter() - begun, 1e-7)))


def _jobs() -> dict[tuple[str, str, str], tuple[Callable[[], object], int]]:
    jobs: dict[tuple[str, str, str], tuple[Callable[[], object], int]] = {}
    for name in DIALECTS:
        read = _reader(name)
        jobs["read", name, ""] = (read, 1)
        for target, upstream in DIALECTS.items():
            model, capabilities = _TARGETS[target][1], _capabilities(target)
            jobs["carry", name, target] = (partial(_carry, read, upstream, model, capabilities), 1)
        jobs |= _stream_jobs(name)
    return jobs


def _reader(name: str) -> Callable[[], Request]:
    """Reads the next turn, which nobody has seen before."""
    whole, spot = turn_body(name, _TARGETS[name][1]), _SPOTS.get(name, Spot())
    client = DIALECTS[name].client
    turns = count()

    def read() -> Request:
        body = whole.replace(BLANK_TURN, b"turn %012d" % next(turns))
        client.peek(body, spot)
        return client.parse_request(body, spot)

    return read


def _carry(read: Callable[[], Request], upstream: Dialect, model: str, capabilities: Capabilities) -> None:
    upstream.upstream.render_request(read(), model, capabilities)


def _stream_jobs(name: str) -> dict[tuple[str, str, str], tuple[Callable[[], object], int]]:
    dialect, events = DIALECTS[name], _events()
    setup = EncoderSetup("m", lambda prefix: f"{prefix}1")

    def encoded() -> list[bytes]:
        encoder = dialect.client.encoder(setup)
        return [encoder.encode(event) for event in events]

    wire = [data for data in encoded() if data]

    def decode() -> None:
        decoder = dialect.upstream.decoder(DecoderSetup("o", setup.new_id))
        for data in wire:
            decoder.feed(data)
        decoder.close()

    watching = dialect.upstream.decoder(DecoderSetup("o", setup.new_id))
    for data in wire[: len(wire) // 2]:
        watching.feed(data)

    def skip() -> None:
        for _ in range(_EVENTS):
            watching.skips(wire[len(wire) // 2])

    return {
        ("encode", name, ""): (encoded, _EVENTS),
        ("decode", name, ""): (decode, _EVENTS),
        ("skip", name, ""): (skip, _EVENTS),
    }


def _events() -> list[Event]:
    said: list[Event] = [TextDelta(0, f" word {number} and so on") for number in range(_EVENTS)]
    end: list[Event] = [PartStop(0), UsageUpdate(Usage(12, 300)), Finish(StopReason.END)]
    return [Start("bench", "id", "m"), PartStart(0, Text("")), *said, *end]


def _capabilities(dialect: str) -> Capabilities:
    preset, model = _TARGETS[dialect]
    packaged = PRESETS[preset]
    config = ProviderConfig(preset=preset, dialect=packaged.dialect, base_url=packaged.base_url)
    return build_provider(preset, config, env={}).capabilities(model)
