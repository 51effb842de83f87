"""What differs between the doors of Gemini and between its models. Data, and the guess at a model by its name."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

STUDIO_PACKAGE = "google.ai.generativelanguage.v1beta"
VERTEX_PACKAGE = "google.cloud.aiplatform.v1beta1"


class Flavour(Struct, frozen=True):
    """One door: `studio` (an API key), `vertex` (a project) or `assist` (the login of Gemini CLI, with an envelope).

    `ids`: function calls go out with an id. `package`: how errors name the types. `fetches`: file data may be any https
    address. `crlf`: how events end. `server_tools`: Gemini 3 takes hosted tools beside functions only when
    `toolConfig.includeServerSideToolInvocations` asks for it.
    """

    name: str
    door: Literal["studio", "vertex", "assist"] = "studio"
    ids: bool = True
    package: str = STUDIO_PACKAGE
    fetches: bool = False
    crlf: bool = True
    server_tools: bool = False


GEMINI = Flavour("gemini", server_tools=True)
# As it was before function calls had ids, and as some proxies still are.
GEMINI_PLAIN = Flavour("gemini-plain", ids=False, crlf=False, server_tools=True)
VERTEX = Flavour("vertex", "vertex", ids=False, package=VERTEX_PACKAGE, fetches=True)
CODE_ASSIST = Flavour("code-assist", "assist", package=VERTEX_PACKAGE, fetches=True)
FLAVOURS = {flavour.name: flavour for flavour in (GEMINI, GEMINI_PLAIN, VERTEX, CODE_ASSIST)}

LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH")


class Model(Struct, frozen=True):
    """A model: limits in tokens, how its thinking is set, and what else it will not do.

    `budget` is the least and the greatest, `off` whether 0 is taken. `levels` are those of Gemini 3. `signs`: a
    function call without its thought signature is refused. `mixes`: functions may stand beside hosted tools and a JSON
    response. `candidates`: how many there may be. `draws`: answers with images when asked for them.
    """

    id: str
    family: str
    window: int = 1_048_576
    output: int = 65_536
    thinks: bool = True
    budget: tuple[int, int] | None = None
    off: bool = True
    levels: tuple[str, ...] = ()
    signs: bool = False
    mixes: bool = False
    candidates: int = 8
    draws: bool = False


def _old(name: str) -> Model:
    return Model(name, "gemini-2.0", output=8192, thinks=False)


def _second(name: str, least: int = 0, most: int = 24_576, *, off: bool = True, draws: bool = False) -> Model:
    return Model(name, "gemini-2.5", budget=(least, most), off=off, draws=draws)


def _third(name: str, levels: tuple[str, ...] = LEVELS) -> Model:
    # A budget is still taken, for those who come from 2.5.
    budget = (0, 32_768)
    return Model(name, "gemini-3", budget=budget, levels=levels, signs=True, mixes=True, candidates=1)


MODELS = (
    _old("gemini-2.0-flash"),
    _second("gemini-2.5-pro", 128, 32_768, off=False),
    _second("gemini-2.5-flash"),
    _second("gemini-2.5-flash-lite", 512),
    _second("gemini-2.5-flash-image", draws=True),
    _third("gemini-3-pro-preview", ("LOW", "HIGH")),
    _third("gemini-3-flash-preview"),
    _third("gemini-3.1-pro-preview", ("LOW", "MEDIUM", "HIGH")),
    _third("gemini-3.1-flash-lite"),
    _third("gemini-3.5-flash"),
    _third("gemini-3.5-flash-lite"),
    _third("gemini-3.8-flash"),
)
_NAMED = re.compile(r"gemini-(\d)(?:\.(\d))?")


def model_of(name: str) -> Model:
    """A model by its name, or what one of that name would be like: of the first, second or third generation."""
    known = next((model for model in MODELS if model.id == name), None)
    if known is not None:
        return known
    found = _NAMED.match(name)
    if "image" in name:
        return _second(name, draws=True)
    if found is None or int(found[1]) >= 3:
        return _third(name)
    if found[1] == "2" and found[2] == "5":
        return _second(name, 128, 32_768, off=False) if "pro" in name else _second(name)
    return _old(name)
