"""What each agent needs to speak to the gateway, applied: its environment, arguments and files, and where it is.

Functions over the data of `agents`. Secrets go into the environment only. Must not know how a gateway is found or
started.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from strowger.client import Model, Prospect
from strowger.errors import UnknownModel
from strowger.launcher.agents import AGENTS, CONTEXT, GENERIC, OUTPUT_GUESS, PROXIES, Spec
from strowger.launcher.wrapper import is_wrapper
from strowger.providers.base import matches
from strowger.routing.aliases import plain

_PLACE = re.compile(r"\{(\w+)\}")
NO_PROSPECT = Prospect()
_CONTROL = frozenset({"remote-control", "--remote-control", "--rc"})
# Where half of the room is gone, Gemini CLI compresses (0.61).
_HALF = 0.5
# One variable holds 128 KiB on Linux, and a list that nobody can scroll through helps nobody.
_MOST_MODELS = 300


def spec_for(command: str) -> Spec:
    """What is known of a command, by the name of its file."""
    name = Path(command).name
    return AGENTS.get(name.removesuffix(".exe").removesuffix(".cmd"), GENERIC)


def pick(spec: Spec, model: str | None, via: str | None, menu: Sequence[Model]) -> str | None:
    """The model that an agent shall ask for. None where it knows one itself. Raises UnknownModel when nobody knows.

    One that goes by its own name rather than one that says where it goes: only then can the session be switched.
    """
    if model is not None or not spec.picks_model:
        return model
    if wanted := (via or "").partition(":")[2]:
        return wanted
    shown = [entry for entry in menu if not entry.discovery]
    for entry in (*(entry for entry in shown if entry.id == entry.model), *shown):
        return entry.id
    raise UnknownModel(
        f"{spec.title} has no model of its own, and no provider says which it has",
        hint=f"name one: `strowger run --model MODEL {spec.name}`",
    )


def asked(spec: Spec, model: str | None, env: Mapping[str, str], own: Sequence[str] = ()) -> tuple[str, ...]:
    """The models that an agent's conversation will ask for; none where nobody knows. `own` are the user's arguments."""
    chosen = _named_by(spec, own) or model or (env.get("ANTHROPIC_MODEL") if spec.name == "claude" else None) or ""
    if plain(chosen) not in spec.asks:
        return (chosen,) if chosen else ()
    return tuple(env.get(variable) or usual for variable, usual in spec.asks[plain(chosen)])


def wants_control(spec: Spec, own: Sequence[str]) -> bool:
    """Whether the user's arguments ask Claude Code for Remote Control (2.1.329)."""
    return spec.name == "claude" and any(word.partition("=")[0] in _CONTROL for word in own)


def _named_by(spec: Spec, own: Sequence[str]) -> str | None:
    """The model that the user's own arguments name."""
    for at, word in enumerate(own):
        name, equals, value = word.partition("=")
        if name in spec.choosing:
            return value if equals else "".join(own[at + 1 : at + 2])
    return None


def offered(menu: Sequence[Model], model: str | None, prospect: Prospect = NO_PROSPECT) -> tuple[Model, ...]:
    """What an agent is told of: the model that it shall ask for, then all others, as far as there is room for them."""
    shown = [entry for entry in menu if not entry.discovery]
    if model is None:
        return tuple(shown[:_MOST_MODELS])
    known = [entry for entry in shown if model in (entry.id, entry.model, f"{entry.provider}:{entry.model}")]
    first = replace(known[0], id=model) if known else Model(model)
    if prospect.room:  # that of where it leads, which may be another model
        first = replace(
            first, facts=replace(first.facts, context=prospect.room, output=prospect.output or first.facts.output)
        )
    return (first, *(entry for entry in shown if entry.id != model))[:_MOST_MODELS]


def environment(
    spec: Spec,
    env: Mapping[str, str],
    *,
    url: str,
    token: str,
    model: str | None = None,
    effort: str | None = None,
    menu: Sequence[Model] = (),
    prospect: Prospect = NO_PROSPECT,
) -> dict[str, str]:
    """The child's environment: the user's own, without ways around the gateway, with the way to it."""
    gone = {*spec.strip, *(() if spec.keeps_proxies else PROXIES)}
    made = {name: value for name, value in env.items() if name.upper() not in gone}
    values = {**_values(spec, url, model, effort, menu, prospect), "token": token}
    wanted = {**spec.set, **(spec.effort if effort else {})}
    if model:
        # The user chose it for this run: that is more than what the shell's profile says about the main model.
        wanted |= spec.models
        if routed(spec, model) is not None:
            wanted |= {name: value for name, value in spec.helpers.items() if name not in made}
    wanted |= {name: value for name, value in spec.default.items() if name not in made}
    wanted |= told(spec, made, prospect, asked(spec, model, made))
    filled = {name: text for name, value in wanted.items() if (text := _filled(value, values))}
    made |= filled | {name: _over(filled[name], env[name]) for name in spec.merged if env.get(name)}
    _keep_own_headers(made)
    _bypass_proxies(made)
    return made


def files(
    spec: Spec,
    env: Mapping[str, str],
    *,
    url: str,
    model: str | None = None,
    effort: str | None = None,
    menu: Sequence[Model] = (),
    prospect: Prospect = NO_PROSPECT,
) -> dict[str, str]:
    """What stands in the files that an agent is given, by the variables that name them. Nothing secret of ours."""
    values = _values(spec, url, model, effort, menu, prospect)
    parts = (
        spec.settings,
        spec.effort_settings if effort else {},
        spec.room_settings if _is_news(spec, prospect) else {},
    )
    texts: dict[str, str] = {}
    for name, text in ((name, _filled(text, values)) for part in parts for name, text in part.items()):
        texts[name] = _over(text, texts[name]) if name in texts else text
    return {name: _laid_over(text, env.get(name), spec.laid_over.get(name, ())) for name, text in texts.items()}


def arguments(
    spec: Spec,
    *,
    url: str,
    model: str | None = None,
    effort: str | None = None,
    paths: Mapping[str, str] = {},
    own: Sequence[str] = (),
    prospect: Prospect = NO_PROSPECT,
) -> tuple[str, ...]:
    """What goes before the user's `own` arguments. Nothing secret: everyone on the machine can read them."""
    values = {**_values(spec, url, model, effort, (), prospect), **paths}
    named = any(word.partition("=")[0] in spec.choosing for word in own)
    chosen = spec.chosen if model and not named else ()
    known = spec.room_arguments if _is_news(spec, prospect) else ()
    words = (*spec.arguments, *chosen, *(spec.effort_arguments if effort else ()), *known)
    return tuple(_filled(word, values) for word in words)


def told(spec: Spec, env: Mapping[str, str], prospect: Prospect, asked: Sequence[str] = ()) -> dict[str, str]:
    """The variables by which an agent hears what awaits its conversation, without those that the user has."""
    if spec.telling is None:
        return {}
    believes = any(matches(glob, plain(model)) for glob in spec.knows for model in asked)
    wanted = spec.telling(prospect, believes)
    # they work together: who has set one of them has decided
    gone = spec.untold if any(env.get(name) for name in spec.untold) else frozenset()
    return {name: value for name, value in wanted.items() if name not in gone and name not in env}


def room_told(spec: Spec, env: Mapping[str, str], prospect: Prospect) -> str | None:
    """What the user should know of the room that his agent is told of; None where it is told of none."""
    if not _is_news(spec, prospect):
        return None
    by_variables = {*told(spec, env, prospect)} & spec.untold
    if not (
        by_variables or spec.room_arguments or spec.room_settings or spec.listing or CONTEXT in spec.models.values()
    ):
        return None
    return f"note: a conversation has room for {prospect.room:,} tokens, those of {prospect.target}"


def _is_news(spec: Spec, prospect: Prospect) -> bool:
    """Whether the room is another than the one that an agent takes every model for."""
    return prospect.room > 0 and not 0 < spec.assumes <= prospect.room


def routed(spec: Spec, model: str | None) -> str | None:
    """The model that the gateway will be asked for, as far as that is known: not for a client's own nicknames."""
    return None if model is None or plain(model) in spec.nicknames else model


def find(command: str, spec: Spec, env: Mapping[str, str]) -> str | None:
    """The file to run for a command, or None when there is none: on the path, then where its installers put it."""
    if os.sep in command and is_wrapper(Path(command)):
        command = Path(command).name
    if found := _on_path(command, env.get("PATH")):
        return found
    if os.sep in command:
        return None
    candidates = (Path(_at_home(place, env)) / spec.name for place in spec.places)
    return next((str(path) for path in (*candidates, *_bundled(spec)) if _is_program(path)), None)


def _on_path(command: str, path: str | None) -> str | None:
    """The first on the path that is no wrapper of ours: what stands behind one is what it is to start."""
    found = shutil.which(command, path=path)
    while found is not None and is_wrapper(Path(found)):
        _, separator, path = (path or os.defpath).partition(os.pathsep)
        found = shutil.which(command, path=path) if separator else None
    return found


def overridden_by_settings(env: Mapping[str, str], folder: Path) -> dict[str, list[str]]:
    """Settings files of Claude Code whose `env` takes precedence over what we set, with the variables' names."""
    own = Path(env.get("CLAUDE_CONFIG_DIR") or _at_home("~/.claude", env))
    files = (own / "settings.json", folder / ".claude/settings.json", folder / ".claude/settings.local.json")
    ours = {*AGENTS["claude"].set, *AGENTS["claude"].strip}
    found: dict[str, list[str]] = {}
    for path in files:
        try:
            settings = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        variables = settings.get("env") if isinstance(settings, dict) else None
        if isinstance(variables, dict) and (names := sorted(ours & variables.keys())):
            found[str(path)] = names
    return found


def advice(spec: Spec, env: Mapping[str, str], folder: Path) -> Iterator[str]:
    """What a user should know before an agent starts in a folder."""
    if spec.note:
        yield f"note: {spec.note}"
    if not spec.keeps_proxies and any(env.get(name) for each in PROXIES for name in (each, each.lower())):
        yield f"note: {spec.title} runs without your proxy here: it would send to it what is meant for this machine"
    if spec.name == "claude":
        for file, names in overridden_by_settings(env, folder).items():
            yield f"warning: {file} sets {', '.join(names)}, which Claude Code prefers over the gateway's"


def _values(
    spec: Spec, url: str, model: str | None, effort: str | None, menu: Sequence[Model], prospect: Prospect
) -> dict[str, str]:
    """What the places in a text stand for; what is not known is empty."""
    listed = offered(menu, model, prospect)
    facts = next((entry.facts for entry in listed if entry.id == model), None)
    context = prospect.room or (facts.context if facts else 0)
    told = spec.efforts.get(effort, effort) if effort else ""
    return {
        "url": url,
        "model": model or "",
        "effort": told,
        "context": str(context) if context else "",
        "share": f"{prospect.room / spec.assumes * _HALF:.4f}" if spec.assumes else "",
        "output": str(facts.output) if facts and facts.output else str(OUTPUT_GUESS),
        "models": json.dumps(spec.listing(listed, told), separators=(",", ":")) if spec.listing else "",
    }


def _laid_over(text: str, own: str | None, places: Sequence[str]) -> str:
    """Settings over those that stand in a file which they displace, as far as these can be read."""
    named = [own] if own and places else places
    there = next((Path(place) for place in named if Path(place).is_file()), None)
    if there is None:
        return text
    try:
        return _over(text, there.read_bytes())
    except OSError:
        return text


def _over(text: str, other: str | bytes) -> str:
    """JSON over other JSON; what is none is passed over."""
    try:
        below = json.loads(other)
    except ValueError:
        return text
    return json.dumps(_merged(below, json.loads(text))) if isinstance(below, dict) else text


def _merged(below: dict[str, object], above: Mapping[str, object]) -> dict[str, object]:
    made = dict(below)
    for name, value in above.items():
        under = made.get(name)
        made[name] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return made


def _filled(text: str, values: Mapping[str, str]) -> str:
    quoted = '"' in text

    def value(place: re.Match[str]) -> str:
        found = values.get(place[1], place[0])
        return json.dumps(found)[1:-1] if quoted and place[1] != "models" else found

    return _PLACE.sub(value, text)


def _keep_own_headers(env: dict[str, str]) -> None:
    """ANTHROPIC_CUSTOM_HEADERS holds `Name: value` lines; those that authorise would overrule the launch token."""
    lines = env.get("ANTHROPIC_CUSTOM_HEADERS", "").splitlines()
    kept = [line for line in lines if line.partition(":")[0].strip().lower() not in _CREDENTIAL_HEADERS]
    if kept != lines:
        env["ANTHROPIC_CUSTOM_HEADERS"] = "\n".join(kept)


_CREDENTIAL_HEADERS = {"authorization", "x-api-key", "api-key", "proxy-authorization", "cookie", "x-strowger-token"}


def _bypass_proxies(env: dict[str, str]) -> None:
    """Keep the way to the gateway free of proxies: clients send even loopback requests to one if it is set."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host.strip() for host in env.get(name, "").split(",") if host.strip()]
        env[name] = ",".join([*hosts, *(host for host in ("127.0.0.1", "localhost") if host not in hosts)])


def _bundled(spec: Spec) -> Iterator[Path]:
    """The program inside a Python package, which is looked up without importing it."""
    if spec.bundled_in is None:
        return
    try:
        package = importlib.util.find_spec(spec.bundled_in)
    except (ImportError, ValueError):
        return
    for location in package.submodule_search_locations or () if package else ():
        yield Path(location) / "_bundled" / spec.name


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK) and not is_wrapper(path)


def _at_home(place: str, env: Mapping[str, str]) -> str:
    return place.replace("~", env.get("HOME") or str(Path.home()), 1) if place.startswith("~") else place
