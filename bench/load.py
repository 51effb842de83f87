"""The load generator: streaming clients of any dialect on keep-alive connections, many in one process.

`python -m bench.load` reads one job (JSON) a line from stdin and answers each with one line (JSON) of what it saw. It
counts the events that arrive, and knows the latency of each by its stamp (see script.py). A job ends by itself: at
its number of requests or its seconds, and at the hard limit whatever the subject does.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from array import array
from typing import cast

import msgspec
import uvloop

from bench import others, script
from bench.processes import raise_file_limit

_BODIES = {"small": others.small_body, "claude": others.agent_body, "turns": others.turn_body}


class Job(msgspec.Struct, frozen=True):
    """What to ask of whom.

    The first of `seconds` and `requests` (in all) ends it, `limit` seconds cut it off. `ramp` seconds pass until all
    connections are open, `pause` seconds after each answer. Of the body `turns` no two requests are alike: each
    connection is a session of its own, counted from `session`, and each request a turn of it. `ca` is the certificate
    to trust; without it, plain HTTP.
    """

    port: int
    dialect: str = "anthropic"
    body: str = "small"
    events: int = 1
    rate: int = 0
    connections: int = 1
    requests: int = 1_000_000_000
    seconds: float = 3600.0
    ramp: float = 0.0
    pause: float = 0.0
    limit: float = 60.0
    session: int = 0
    ca: str | None = None


class Seen(msgspec.Struct, frozen=True):
    """What came of a job. Times in milliseconds, `wall` in seconds; `failures` tells the first few."""

    requests: int
    complete: int
    events: int
    wall: float
    first_byte_p50: float
    first_byte_p99: float
    latency_p50: float
    latency_p99: float
    latency_max: float
    failures: list[str]


class Run:
    """The state that the connections of one job share."""

    def __init__(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        self.job = job
        self.loop = loop
        self.left = job.requests
        self.open = 0
        self.connections = job.session
        self.started = 0
        self.complete = 0
        self.events = 0
        self.first_bytes = array("q")
        self.latencies = array("q")
        self.failures: list[str] = []
        self.done = loop.create_future()
        self.begin = time.monotonic()
        self.stop_at = self.begin + job.seconds
        self.last_answer = self.begin
        self.stream = script.STREAMS[job.dialect]
        model = script.model_name(job.events, job.rate)
        body = _BODIES[job.body](job.dialect, model)
        self.request = _head(job.dialect, model, job.port, len(body)) + body
        self.turns = job.body == "turns"

    def request_of(self, session: int) -> bytes:
        """What a session asks now."""
        if not self.turns:
            return self.request
        whole = self.request.replace(others.BLANK_SESSION, b"%012d" % session)
        return whole.replace(others.BLANK_TURN, b"turn %012d" % self.started)

    def take(self) -> bool:
        """Whether one more request is to be sent; counts it."""
        # At least one: on a busy machine the time of a short run may be over before its first connection stands.
        if self.left <= 0 or (self.started and time.monotonic() >= self.stop_at):
            return False
        self.left -= 1
        self.started += 1
        return True

    def fail(self, what: str) -> None:
        """Remember a failure (the first few)."""
        if len(self.failures) < 5:
            self.failures.append(what)

    def abort(self, what: str) -> None:
        """End the run for an error of this program itself."""
        self.fail(what)
        if not self.done.done():
            self.done.set_result(None)

    def closed(self) -> None:
        """A connection is gone; the last one ends the run."""
        self.open -= 1
        if self.open == 0 and not self.done.done():
            self.done.set_result(None)

    def seen(self) -> Seen:
        """The figures of the run."""
        first, latency = sorted(self.first_bytes), sorted(self.latencies)
        return Seen(
            requests=self.started,
            complete=self.complete,
            events=self.events,
            wall=self.last_answer - self.begin,
            first_byte_p50=_quantile(first, 0.5),
            first_byte_p99=_quantile(first, 0.99),
            latency_p50=_quantile(latency, 0.5),
            latency_p99=_quantile(latency, 0.99),
            latency_max=_quantile(latency, 1.0),
            failures=self.failures,
        )


def _quantile(ordered: list[int], part: float) -> float:
    """Of microseconds, as milliseconds; 0 for nothing."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] / 1000 if ordered else 0.0


_PATHS = {
    "anthropic": "/v1/messages?beta=true",
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "gemini": "/v1beta/models/{model}:streamGenerateContent?alt=sse",
}
# Lines of about one length, so that no dialect pays for more headers than another.
_KEYS = {
    "anthropic": b"x-api-key: bench-client-key",
    "openai_chat": b"authorization: Bearer bench-client-key",
    "openai_responses": b"authorization: Bearer bench-client-key",
    "gemini": b"x-goog-api-key: bench-client-key",
}
_VERSIONS = {
    "anthropic": b"anthropic-beta: claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27"
    b"\r\nanthropic-version: 2023-06-01",
    "openai_chat": b"x-session-affinity: 00000000-0000-0000-0000-000000000000\r\nx-bench: 2",
    "openai_responses": b"session-id: 00000000-0000-0000-0000-000000000000\r\noriginator: bench",
    "gemini": b"x-goog-api-client: google-genai-sdk/1.30.0 gl-node/v22.18.0\r\nx-bench: 2",
}


def _head(dialect: str, model: str, port: int, length: int) -> bytes:
    """About as many headers as coding agents send."""
    return (
        b"POST %b HTTP/1.1\r\n"
        b"host: 127.0.0.1:%d\r\n"
        b"accept: application/json\r\n"
        b"accept-encoding: identity\r\n"
        b"%b\r\n"
        b"connection: keep-alive\r\n"
        b"content-type: application/json\r\n"
        b"user-agent: strowger-bench/1\r\n"
        b"%b\r\n"
        b"x-app: cli\r\n"
        b"x-stainless-arch: x64\r\n"
        b"x-stainless-lang: js\r\n"
        b"x-stainless-os: Linux\r\n"
        b"x-stainless-package-version: 0.70.0\r\n"
        b"x-stainless-retry-count: 0\r\n"
        b"x-stainless-runtime: node\r\n"
        b"x-stainless-timeout: 600\r\n"
        b"content-length: %d\r\n\r\n"
    ) % (_PATHS[dialect].format(model=model).encode(), port, _VERSIONS[dialect], _KEYS[dialect], length)


class LoadConnection(asyncio.Protocol):
    """One client: sends a request, reads the answer to its end, sends the next."""

    def __init__(self, run: Run) -> None:
        self.run = run
        run.connections += 1
        self.session = run.connections
        self.pending: asyncio.TimerHandle | None = None
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own class, of the same shape
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer without a length ends here; any other that is not whole has failed."""
        if self.pending is not None:
            self.pending.cancel()
        if self.busy:
            if self.framing == "close":
                self._finish(reuse=False)
            else:
                self.run.fail(f"connection closed inside an answer after {self.events} events")
        self.run.closed()

    def _next(self) -> None:
        if self.transport.is_closing() or not self.run.take():
            self.transport.close()
            return
        self.busy = True
        self.head = b""
        self.raw = b""
        self.text = b""
        self.ended = False
        self.framing = ""
        self.status = 0
        self.body_left = 0
        self.events = 0
        self.first_byte = 0
        self.sent = time.monotonic_ns() // 1000
        self.transport.write(self.run.request_of(self.session))

    def data_received(self, data: bytes) -> None:
        """Read on in the answer."""
        if not self.busy:
            self.run.fail("bytes after the end of an answer")
            self.transport.close()
            return
        if not self.framing:
            data = self._read_head(data)
            if not self.framing:
                return
        if not data:
            return
        now = time.monotonic_ns() // 1000
        if not self.first_byte:
            self.first_byte = now
        ended, text = self._unframe(data)
        self._count(text, now)
        if ended:
            self._finish(reuse=True)

    def _read_head(self, data: bytes) -> bytes:
        self.head += data
        head, found, rest = self.head.partition(b"\r\n\r\n")
        if not found:
            return b""
        self.status = int(head[9:12])
        fields = head.lower()
        at = fields.find(b"\r\ncontent-length:")
        if b"\r\ntransfer-encoding: chunked" in fields:
            self.framing = "chunked"
        elif at >= 0:
            self.framing = "length"
            self.body_left = int(fields[at + 17 :].split(b"\r\n", 1)[0])
        else:
            self.framing = "close"
        return rest

    def _unframe(self, data: bytes) -> tuple[bool, bytes]:
        """(whether the answer is whole, its body in this data)."""
        if self.framing == "close":
            return False, data
        if self.framing == "length":
            self.body_left -= len(data)
            return self.body_left <= 0, data
        data = self.raw + data
        at = 0
        parts: list[bytes] = []
        while True:
            line_end = data.find(b"\r\n", at)
            if line_end < 0:
                break
            size = int(data[at:line_end], 16)
            chunk_end = line_end + 2 + size
            if len(data) < chunk_end + 2:
                break
            if size == 0:
                self.raw = b""
                return True, b"".join(parts)
            parts.append(data[line_end + 2 : chunk_end])
            at = chunk_end + 2
        self.raw = data[at:]
        return False, b"".join(parts)

    def _count(self, text: bytes, now: int) -> None:
        text = self.text + text
        last = 0
        self.ended = self.ended or self.run.stream.end in text
        for stamp in self.run.stream.stamp.finditer(text):
            self.run.latencies.append(now - int(stamp[1]))
            self.events += 1
            last = stamp.end()
        # Keep what may be the start of a stamp or of the end.
        self.text = text[max(last, len(text) - 64) :]

    def _finish(self, *, reuse: bool) -> None:
        run = self.run
        self.busy = False
        run.events += self.events
        run.last_answer = time.monotonic()
        if self.status == 200 and self.events == run.job.events and self.ended:
            run.complete += 1
            run.first_bytes.append(self.first_byte - self.sent)
        else:
            tail = self.text.decode("utf-8", "replace")
            run.fail(f"status {self.status}, {self.events} of {run.job.events} events, ends with {tail!r}")
        if not reuse:
            return
        if run.job.pause:
            self.pending = run.loop.call_later(run.job.pause, self._next)
        else:
            self._next()


async def perform(job: Job) -> Seen:
    """Run a job to its end."""
    loop = asyncio.get_running_loop()
    run = Run(job, loop)
    loop.set_exception_handler(lambda _, about: run.abort(f"{about['message']}: {about.get('exception')!r}"))
    tls = ssl.create_default_context(cafile=job.ca) if job.ca else None
    run.open = min(job.connections, job.requests)
    try:
        async with asyncio.timeout(job.limit):
            for number in range(run.open):
                ahead = run.begin + job.ramp * number / run.open - time.monotonic()
                if ahead > 0:
                    await asyncio.sleep(ahead)
                await loop.create_connection(lambda: LoadConnection(run), "127.0.0.1", job.port, ssl=tls)
            await run.done
    except TimeoutError:
        run.fail(f"not ended after {job.limit:g} s")
    except OSError as error:
        run.fail(f"cannot connect: {error}")
    return run.seen()


def main() -> None:
    """Entry point of the load process: jobs in, figures out."""
    raise_file_limit()
    decoder = msgspec.json.Decoder(Job)
    for line in sys.stdin.buffer:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            seen = runner.run(perform(decoder.decode(line)))
        sys.stdout.buffer.write(msgspec.json.encode(seen) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
