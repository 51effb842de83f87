"""What `POST launches` and its kin do: clients come and go, and their calls are sent elsewhere.

The half of the admin API that `strowger run` and `strowger switch` speak with. Must not know the other half.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from strowger.config.layers import Choice
from strowger.config.processes import is_running, is_the_same, process_start
from strowger.errors import BadRequest, ConfigError, GatewayError, UnknownPath
from strowger.flows.flow import Flow
from strowger.gateway.access import Access, Client, Launch
from strowger.gateway.exporting import launch_env
from strowger.gateway.models import Models
from strowger.gateway.pipeline import Line
from strowger.gateway.settings import Settings
from strowger.routing.prospect import Prospect

ORPHAN_SECONDS = 600.0
"""For so long a client may be silent whose `strowger run` was killed, until its token is worth nothing."""

# So many ids of a client's conversations are known: sub-agents of some have one each.
_SESSIONS = 32


class _LaunchRequest(msgspec.Struct):
    name: str
    pid: int = 0
    model: str | None = None
    profile: str | None = None
    via: str | None = None
    project: str = ""


class _SwitchRequest(msgspec.Struct):
    to: str


class _Expected(msgspec.Struct, frozen=True):
    """What a client has asked about its conversation when it started, and the room that it was told of."""

    models: tuple[str, ...]
    knows: tuple[str, ...]
    dialect: str
    room: int


class Conversing:
    """When clients of launches were last heard, and the last few sessions of their own that they were in: a keeper of
    calls.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, list[str]] = {}
        self._heard: dict[str, float] = {}
        self._under_way: dict[str, str] = {}

    def began(self, flow: Flow) -> None:
        """A call names its session."""
        if not flow.launch:
            return
        self._under_way[flow.id] = flow.launch
        if not flow.session:
            return
        known = self._sessions.setdefault(flow.launch, [])
        if known and known[0] == flow.session:
            return
        if flow.session in known:
            known.remove(flow.session)
        known.insert(0, flow.session)
        del known[_SESSIONS:]

    def opened(self, flow: Flow) -> None:
        """Nothing new."""

    def finished(self, flow: Flow) -> None:
        """From here on nothing is heard, unless another call is under way."""
        if launch := self._under_way.pop(flow.id, ""):
            self._heard[launch] = time.monotonic()

    def of(self, launch: str) -> list[str]:
        """The sessions of a launch, the latest first."""
        return self._sessions.get(launch, [])

    def silence(self, launch: str) -> float:
        """Since when nothing is heard of a launch, in seconds; it counts from here where nothing ever was."""
        if launch in self._under_way.values():
            return 0.0
        now = time.monotonic()
        return now - self._heard.setdefault(launch, now)

    def keep(self, launches: Iterable[str]) -> None:
        """Forget all others: a call may end after its launch."""
        there = set(launches)
        self._sessions = {launch: ids for launch, ids in self._sessions.items() if launch in there}
        self._heard = {launch: heard for launch, heard in self._heard.items() if launch in there}


class Launches:
    """The launches that are open."""

    def __init__(self, line: Line, settings: Settings, models: Models) -> None:
        self._line = line
        self._access: Access = line.access
        self._settings = settings
        self._models = models
        self._expected: dict[str, _Expected] = {}
        # Whoever opened them, by the mark of its process; only where that could be seen from here.
        self._openers: dict[str, str | None] = {}
        self._conversing = Conversing()
        line.recorder.add(self._conversing)

    def described(self) -> list[dict[str, object]]:
        """All of them, and what each goes by."""
        self._sweep()
        return [self._described(launch) for launch in self._access.launches]

    async def open(self, body: bytes) -> dict[str, object]:
        """A new one. Raises BadRequest and UnknownModel, and then there is none."""
        try:
            asked = msgspec.json.decode(body, type=_LaunchRequest)
        except msgspec.MsgspecError as error:
            raise BadRequest(f"not a launch: {error}") from None
        launch = self._access.open_launch(asked.name[:60], asked.pid, asked.project[:1000])
        try:
            config = await self._settings.give(launch.id, Choice(asked.profile, asked.via))
            if asked.model:
                self._line.routes_for(Client(launch.name, launch=launch.id)).check(asked.model)
        except GatewayError as error:
            self._access.close_launch(launch.id)
            self._settings.take(launch.id)
            if isinstance(error, ConfigError):
                raise BadRequest(str(error), hint=error.hint) from None
            raise
        if is_running(launch.pid):
            self._openers[launch.id] = process_start(launch.pid)
        opened = {"launch": launch.id, "name": launch.name, "pid": launch.pid, "project": launch.project}
        self._settings.log.write("debug", "launch", {"what": "opened", **opened})
        told = {"id": launch.id, "token": launch.token, "env": launch_env(config)}
        return {**told, "effort": config.launch.effort, "always_control": config.launch.always_control}

    async def switch(self, launch_id: str, body: bytes) -> dict[str, object]:
        """Another profile or provider for one of them. Raises BadRequest and UnknownPath."""
        self._check_open(launch_id)
        try:
            to = msgspec.json.decode(body, type=_SwitchRequest).to
        except msgspec.MsgspecError as error:
            raise BadRequest(f"not a switch: {error}") from None
        try:
            choice = await self._settings.switch(launch_id, to)
        except ConfigError as error:
            raise BadRequest(str(error), hint=error.hint) from None
        try:
            self._check_open(launch_id)
        except UnknownPath:  # it has ended while its choice was read
            self._settings.take(launch_id)
            raise
        return {"profile": choice.profile, "via": choice.via, **await self._news(launch_id)}

    async def prospect(self, asked: Mapping[str, str]) -> Prospect:
        """What awaits a conversation that asks for some models: that of a launch, where one is named."""
        models, knows = (tuple(asked.get(part, "").split()) for part in ("models", "knows"))
        launch, dialect = asked.get("launch", ""), asked.get("dialect", "")
        found = await self._ahead(launch, models, knows, dialect)
        there = {each.id for each in self._access.launches}
        self._expected = {each: expected for each, expected in self._expected.items() if each in there}
        if launch in there:
            self._expected[launch] = _Expected(models, knows, dialect, found.room)
        return found

    async def _ahead(self, launch: str, models: Sequence[str], knows: Sequence[str], dialect: str) -> Prospect:
        routes = self._line.routes_for(Client("", launch=launch))
        return await self._models.prospect(routes, models, knows=knows, dialect=dialect)

    async def _news(self, launch_id: str) -> dict[str, object]:
        """The room where a launch leads from now on, where its client knows of another."""
        expected = self._expected.get(launch_id)
        if expected is None:
            return {}
        found = await self._ahead(launch_id, expected.models, expected.knows, expected.dialect)
        if found.room == expected.room:
            return {}
        return {"room": found.room, "target": found.target, "told_room": expected.room}

    def close(self, launch_id: str) -> None:
        """Forget one. Raises UnknownPath."""
        if not self._access.close_launch(launch_id):
            raise UnknownPath(f"there is no launch {launch_id[:60]}")
        self._settings.take(launch_id)
        self._expected.pop(launch_id, None)
        self._openers.pop(launch_id, None)
        self._conversing.keep(launch.id for launch in self._access.launches)
        self._settings.log.write("debug", "launch", {"what": "closed", "launch": launch_id})

    def _is_orphan(self, launch: Launch) -> bool:
        """Whether nobody is left to close it: its client may live on, and be heard."""
        return launch.id in self._openers and not is_the_same(launch.pid, self._openers[launch.id])

    def _sweep(self) -> None:
        """Close what nobody else will, once nothing has been heard of it for long."""
        for launch in self._access.launches:
            if self._is_orphan(launch) and self._conversing.silence(launch.id) > ORPHAN_SECONDS:
                self.close(launch.id)

    def _check_open(self, launch_id: str) -> None:
        if launch_id not in {launch.id for launch in self._access.launches}:
            raise UnknownPath(f"there is no launch {launch_id[:60]}")

    def _described(self, launch: Launch) -> dict[str, object]:
        choice = self._settings.choice(launch.id)
        told: dict[str, object] = {"id": launch.id, "name": launch.name, "pid": launch.pid, "project": launch.project}
        told |= {"profile": choice.profile, "via": choice.via}
        return {**told, "sessions": self._conversing.of(launch.id), "orphan": self._is_orphan(launch)}
