"""The price list and the way that it counts, against what recorded answers say that they cost."""

from __future__ import annotations

import pytest

from strowger.dialects.base import DecoderSetup
from strowger.gateway.app import DIALECTS
from strowger.ir.events import Start, Usage, UsageUpdate
from strowger.routing.pricelists import packaged
from strowger.routing.prices import Prices, stated_cost
from tests.shared import Recording, corpus, needs_shared

FEWEST = 60


def read(recording: Recording, dialect: str) -> tuple[str, Usage]:
    """The model that a recorded answer names, and its usage."""
    side, setup = DIALECTS[dialect].upstream, DecoderSetup(dialect, str)
    content = recording.response.content
    if recording.stream:
        decoder = side.decoder(setup)
        events = decoder.feed(content) + decoder.close()
    else:
        events = side.decode_response(content, setup)
    model, usage = "", Usage()
    for event in events:
        if isinstance(event, Start):
            model = event.model
        elif isinstance(event, UsageUpdate):
            usage = usage.merged(event.usage)
    return model, usage


@needs_shared
def test_openrouter_bills_claude_as_the_list_has_it() -> None:
    """With caches read and written, thinking and tools: what comes out is what was billed, to a hundredth."""
    prices = Prices([packaged().prices()])
    agreed = cached = 0
    for dialect in ("openai_chat", "openai_responses"):
        for recording in corpus(dialect):
            if recording.provider != "openrouter" or "claude" not in (recording.model or ""):
                continue
            model, usage = read(recording, dialect)
            billed = stated_cost(usage.extras)
            if not billed:
                continue
            price = prices.find(model, ("openrouter.ai",))
            assert price is not None, model
            assert price.cost(usage) == pytest.approx(billed, rel=0.01), recording.name
            agreed += 1
            cached += bool(usage.cache_read or usage.cache_write)
    assert agreed >= FEWEST
    assert cached > 3
