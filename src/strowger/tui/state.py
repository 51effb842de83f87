"""What the events of a gateway add up to: calls, the sessions that they belong to, rates, quotas. Pure, and bounded.

Must not know how it is shown, nor where the events come from.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from msgspec import Struct

Call = Mapping[str, Any]
"""A call in its plain form, as the admin API tells it."""

MOST = 2000
"""Calls that are remembered; the oldest that are over go first."""

RATES = 120
"""Seconds of which the rates are remembered."""


class Tally(Struct):
    """What calls come to: in US dollars, `value` being what a plan paid for; tokens of the prompts, and those of them
    that were read from a cache.
    """

    calls: int = 0
    running: int = 0
    failed: int = 0
    money: float = 0.0
    value: float = 0.0
    input: int = 0
    cached: int = 0
    output: int = 0
    last: float = 0.0

    def add(self, call: Call) -> None:
        """Count a call."""
        self.calls += 1
        self.running += call["outcome"] == "running"
        self.failed += call["outcome"] == "failed"
        billed = call.get("billed_usd") or 0.0
        if call.get("billing") == "plan":
            self.value += billed
        else:
            self.money += billed
        tokens = call.get("tokens") or {}
        self.input += tokens.get("input") or 0
        self.cached += tokens.get("cache_read") or 0
        self.output += tokens.get("output") or 0
        self.last = max(self.last, call.get("started") or 0.0)


class Place(Struct, frozen=True):
    """Where a call belongs in the tree: a session, or an agent in it. Both empty: what belongs to no session."""

    session: str
    agent: str = ""


class Group(Struct):
    """A place in the tree, its words and what its calls come to; those of its agents are counted in a session's too."""

    place: Place
    title: str
    tally: Tally
    agents: list[Group]


class Pulse(Struct, frozen=True):
    """A gateway's last word of how much passes by in a second."""

    running: int = 0
    calls: int = 0
    failed: int = 0
    cancelled: int = 0
    bytes_per_second: float = 0.0
    events_per_second: float = 0.0
    tokens_per_second: float = 0.0


class State:
    """What is known. `heard` takes an event of one gateway; who shows it looks at `version` to see if there is news."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._calls: OrderedDict[str, Call] = OrderedDict()
        self._of: dict[str, str] = {}
        self._progress: dict[str, tuple[int, int]] = {}
        self._pulses: dict[str, Pulse] = {}
        self._stores: dict[str, Mapping[str, Any]] = {}
        self._quotas: dict[str, Mapping[str, Any]] = {}
        self.rates: deque[float] = deque([0.0] * RATES, maxlen=RATES)
        self.missed = 0
        self.version = 0

    # ---- what comes ----

    def heard(self, gateway: str, kind: str, data: Any) -> None:
        """One event. What is not known is passed over: it is of a newer gateway."""
        match kind:
            case "flow":
                self.take(gateway, data)
            case "pulse":
                self._pulse(gateway, data)
            case "quota" if self._quotas.get(gateway) != data:
                self._quotas[gateway] = data
                self.version += 1
            case "store" if self._stores.get(gateway) != data:
                self._stores[gateway] = data
                self.version += 1
            case "gap":
                self.missed += int(data.get("missed") or 0)
                self.version += 1

    def take(self, gateway: str, call: Call) -> None:
        """A call as it is now."""
        name = str(call["id"])
        known = self._calls.get(name)
        if known is not None and known["outcome"] != "running" and call["outcome"] == "running":
            return  # an older word, that came from memory while the newer one came by itself
        self._calls[name] = call
        self._of[name] = gateway
        if call["outcome"] != "running":
            self._progress.pop(name, None)
        if known is None:
            self._trim()
        self.version += 1

    def gone(self, gateway: str) -> None:
        """A gateway has ended: what ran there runs no more."""
        self._pulses.pop(gateway, None)
        self._stores.pop(gateway, None)
        self._quotas.pop(gateway, None)
        for name, call in self._calls.items():
            if self._of.get(name) == gateway and call["outcome"] == "running":
                self._calls[name] = {**call, "outcome": "lost"}
                self._progress.pop(name, None)
        self.version += 1

    def _pulse(self, gateway: str, data: Mapping[str, Any]) -> None:
        fields = {name: data[name] for name in Pulse.__struct_fields__ if name in data}
        now = Pulse(**fields)
        moved = {
            each["id"]: (each.get("events") or 0, each.get("response_bytes") or 0)
            for each in data.get("flows") or ()
            if each.get("id") in self._calls
        }
        if moved or self._pulses.get(gateway) != now:
            self._pulses[gateway] = now
            self._progress.update(moved)
            self.version += 1

    def tick(self) -> None:
        """A second has passed: how much went by in it is remembered. Where nothing moves, that is no news."""
        rate = sum(pulse.tokens_per_second for pulse in self._pulses.values())
        moves = rate or any(self.rates) or any(call["outcome"] == "running" for call in self._calls.values())
        self.rates.append(rate)
        self.version += bool(moves)

    def _trim(self) -> None:
        if len(self._calls) <= self._most:
            return
        ended = (name for name, call in self._calls.items() if call["outcome"] != "running")
        over = list(islice(ended, len(self._calls) - self._most))
        for name in over:
            del self._calls[name]
            self._of.pop(name, None)

    # ---- what is shown ----

    def call(self, name: str) -> Call | None:
        """A call by its id."""
        return self._calls.get(name)

    def gateway_of(self, name: str) -> str:
        """The gateway that a call went over."""
        return self._of.get(name, "")

    def progress(self, name: str) -> tuple[int, int]:
        """Events and bytes of an answer that is coming."""
        return self._progress.get(name, (0, 0))

    def calls(self, place: Place | None = None, *, errors: bool = False) -> list[Call]:
        """Those of a place, of all by default: running ones first, then the newest. `errors`: failed ones only."""
        found = [
            call
            for call in self._calls.values()
            if (place is None or is_in(call, place)) and (not errors or call["outcome"] in ("failed", "lost"))
        ]
        return sorted(found, key=_order)

    def groups(self) -> list[Group]:
        """The tree: sessions with their agents, those that were busy last first."""
        sessions: dict[str, Group] = {}
        agents: dict[Place, Group] = {}
        for call in self._calls.values():
            session = str(call.get("session") or "")
            group = sessions.get(session)
            if group is None:
                group = sessions[session] = Group(Place(session), _title(call), Tally(), [])
            elif not group.title:
                group.title = _title(call)
            group.tally.add(call)
            agent = str(call.get("agent_id") or "")
            if agent and session:
                place = Place(session, agent)
                if place not in agents:
                    agents[place] = Group(place, str(call.get("agent_type") or "sub-agent"), Tally(), [])
                    group.agents.append(agents[place])
                agents[place].tally.add(call)
        return sorted(sessions.values(), key=lambda group: group.tally.last, reverse=True)

    def whole(self) -> Tally:
        """What all calls that are remembered come to."""
        tally = Tally()
        for call in self._calls.values():
            tally.add(call)
        return tally

    def pulse(self) -> Pulse:
        """All gateways together."""
        names = Pulse.__struct_fields__
        return Pulse(**{name: sum(getattr(pulse, name) for pulse in self._pulses.values()) for name in names})

    def windows(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The limits of accounts that are known: `provider/account`, and the window."""
        seen: set[tuple[str, str]] = set()
        for quota in self._quotas.values():
            for account in quota.get("accounts") or ():
                name = account["provider"] + (f"/{account['account']}" if account.get("account") else "")
                for window in account.get("windows") or ():
                    if (name, window["name"]) not in seen:
                        seen.add((name, window["name"]))
                        yield name, window

    def troubles(self) -> Iterator[str]:
        """What keeps calls from being seen or stored, a sentence each."""
        for store in self._stores.values():
            if store.get("problem"):
                yield f"the store of calls: {store['problem']}"
            dropped = (store.get("flows_dropped") or 0) + (store.get("bodies_dropped") or 0)
            if dropped:
                yield f"the store could not keep up: {dropped:,} were dropped"
        if self.missed:
            yield f"{self.missed:,} changes went by too fast to be shown"


def is_in(call: Call, place: Place) -> bool:
    """Whether a call belongs there; a session's agents belong to the session."""
    if str(call.get("session") or "") != place.session:
        return False
    return not place.agent or str(call.get("agent_id") or "") == place.agent


def _order(call: Call) -> tuple[bool, float]:
    return call["outcome"] != "running", -(call.get("started") or 0.0)


def _title(call: Call) -> str:
    """A session in words: its client and where that works."""
    project = str(call.get("project") or "").rstrip("/").rpartition("/")[2]
    words: Iterable[str] = (str(call.get("program") or ""), project)
    return " ".join(word for word in words if word) if call.get("session") else ""
