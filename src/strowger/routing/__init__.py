"""Which provider and model a call goes to, and which models there are to ask for."""

from strowger.routing.catalog import Entry, Listed, anthropic_page, entries, openai_list, parse_listing
from strowger.routing.hints import Hints, Noticed
from strowger.routing.table import Route, RouteTable, Target

__all__ = [
    "Entry",
    "Hints",
    "Listed",
    "Noticed",
    "Route",
    "RouteTable",
    "Target",
    "anthropic_page",
    "entries",
    "openai_list",
    "parse_listing",
]
