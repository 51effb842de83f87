"""Every recorded answer of the other vendors, as a client of the Responses API gets it: judged member by member."""

from __future__ import annotations

import json

import pytest

from tests.conformance import lanes
from tests.conformance.crossing import several
from tests.conformance.naive import recorded
from tests.conformance.recordings import Answered, answers
from tests.integration.conformance.responses_oracle import answer_faults, events_of, stream_faults
from tests.shared import needs_shared

RESPONSES = "openai_responses"
UPSTREAMS = ("anthropic", "openai_chat", "gemini")


def whole_ones(upstream: str, form: str) -> list[Answered]:
    """The recorded answers that come to an end."""
    found = answers(upstream, form).cases
    return [
        case
        for case in found
        if not (form == "stream" and several(upstream, case.body)) and recorded(upstream, case).ending == "whole"
    ]


@needs_shared
@pytest.mark.timeout(300)
@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_recorded_streams(upstream: str) -> None:
    """Each event is valid, in its place, and adds up to the last one."""
    cases = whole_ones(upstream, "stream")
    wrong = {}
    for case in cases:
        events = events_of(lanes.translated(upstream, [case.body], RESPONSES).body)
        wrong[case.name] = stream_faults(events)
    assert len(cases) > 100
    assert {name: faults for name, faults in wrong.items() if faults} == {}


@needs_shared
@pytest.mark.timeout(300)
@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_recorded_bodies(upstream: str) -> None:
    """Each response object is valid, and says that it is complete or why it is not."""
    cases = whole_ones(upstream, "body")
    wrong = {case.name: _faults(upstream, case) for case in cases}
    assert len(cases) > 100
    assert {name: faults for name, faults in wrong.items() if faults} == {}


def _faults(upstream: str, case: Answered) -> list[str]:
    return answer_faults(json.loads(lanes.translated_whole(upstream, case.body, RESPONSES).body))
