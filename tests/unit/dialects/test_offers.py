"""Lists of tools that are written once."""

from __future__ import annotations

from typing import Any

from strowger.dialects import offers
from strowger.dialects.base import Capabilities
from strowger.dialects.job import BaseJob
from strowger.dialects.names import plain
from strowger.dialects.offers import Offer, Offers
from strowger.ir.request import FunctionTool, Request, Tool

CAPS = Capabilities()
RUN, READ = FunctionTool("run"), FunctionTool("a.read")


class Desk:
    """Makes offers, and counts how often that was work."""

    def __init__(self, kept: int = 32, room: int = 1 << 20) -> None:
        self.offers: Offers[int] = Offers(kept, room)
        self.worked = 0

    def made(self, *tools: Tool, besides: str = "", caps: Capabilities = CAPS) -> tuple[Offer[int], list[str]]:
        job = BaseJob(Request("elsewhere", "m"), caps, "here", plain)

        def make() -> tuple[dict[str, Any], int]:
            self.worked += 1
            job.lose("tools", "odd")
            return {"tools": [job.tool_name(tool.name) for tool in tools]}, len(tools)

        return self.offers.made(job, tools, besides, make), [loss.reason for loss in job.losses]


def test_a_list_is_written_once() -> None:
    """Its losses are told each time. Equal tools that are others are written again, and so is what has another name."""
    desk = Desk()
    first, second = desk.made(RUN, READ), desk.made(RUN, READ)
    assert first == second
    assert bytes(second[0].members["tools"]) == b'["run","a__read"]'
    assert (second[0].more, second[1], desk.worked) == (2, ["odd"], 1)
    desk.made(RUN, FunctionTool("a.read"))
    desk.made(RUN)
    desk.made(RUN, READ, besides="else")
    assert desk.worked == 4
    short, _ = desk.made(RUN, READ, caps=Capabilities(max_tool_name=3))
    assert desk.worked == 5
    assert bytes(short.members["tools"]) != b'["run","a__read"]'


def test_few_are_remembered() -> None:
    """The oldest go, what is long is not kept at all, and all together hold so many bytes."""
    desk = Desk(kept=2)
    for _ in range(2):
        for tool in (RUN, READ, FunctionTool("third")):
            desk.made(tool)
    assert (len(desk.offers), desk.worked) == (2, 6)
    long = FunctionTool("long", "x" * offers._LONGEST)
    desk.made(long)
    desk.made(long)
    assert desk.worked == 8
    narrow = Desk(room=1000)
    for number in range(10):
        narrow.made(FunctionTool(f"tool{number}", "x" * 300))
    assert len(narrow.offers) < 4
