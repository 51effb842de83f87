"""Every recording through a running gateway: the bytes on one side are those on the other."""

from __future__ import annotations

import pytest

from tests.conformance import report
from tests.conformance.sections import SECTIONS
from tests.shared import needs_shared

SOCKETS = next(section for section in SECTIONS if section.key == "sockets")


@needs_shared
@pytest.mark.timeout(300)
@pytest.mark.parametrize("group", SOCKETS.groups)
def test_verbatim_over_sockets(group: str) -> None:
    """Requests and answers keep their hash, status and content type, over kept connections and any framing."""
    outcomes = report.run(SOCKETS, group)
    assert report.failures(outcomes) == ""
    assert report.out_of_date(SOCKETS, group, outcomes) == [], report.HOW
