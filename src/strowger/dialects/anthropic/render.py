"""IR to a request body for an upstream of this dialect, within what the upstream accepts.

The one rule that decides everything here: a request of this dialect comes out as it went in, as far as the
capabilities allow; one of another dialect comes out as the Messages API wants it. What is left out is a loss.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.anthropic.blocks import EMPTY_OBJECT, Json, render_part
from strowger.dialects.anthropic.fit import Fitting
from strowger.dialects.anthropic.request import OUTPUT_FORMAT, STREAM_FALSE, SYSTEM_STRING
from strowger.dialects.anthropic.schema import enforceable
from strowger.dialects.anthropic.thinking import Plan, plan
from strowger.dialects.anthropic.tools import forced, write_tools
from strowger.dialects.anthropic.turns import (
    GO_ON,
    Said,
    Turn,
    is_hinted,
    leading,
    regrouped,
    straight,
    stretches,
    written_turns,
)
from strowger.dialects.anthropic.wire import MAX_CACHE_HINTS
from strowger.dialects.base import Capabilities, Rendered
from strowger.dialects.losses import refuse_extras, unique
from strowger.ir.request import (
    Opaque,
    OutputFormat,
    Request,
    Text,
)

_NULL = Raw(b"null")
_JSON_ONLY = "Answer with a single JSON object and nothing else: no words around it, no code fence."


def render_request(request: Request, model: str, caps: Capabilities) -> Rendered:
    """A body for `model`, with losses. Raises Unsupported for what must not be dropped (several answers, sound)."""
    fitting = Fitting(request, caps)
    if not fitting.own:
        refuse_extras(request.extras, "Anthropic's Messages API")
    return _Body(request, model, fitting).rendered()


class _Body:
    """The members of one body while they are put together."""

    def __init__(self, request: Request, model: str, fitting: Fitting) -> None:
        self._request = request
        self._fitting = fitting
        self._caps = fitting.caps
        self._body: Json = dict(fitting.extras(request.extras, ""))
        self._body["model"] = model
        self._system: list[Text | Opaque] = []
        self._watched: tuple[str, ...] = ()
        self._hinted = False
        """Whether the client marked what to cache."""

    def rendered(self) -> Rendered:
        """All of it, as JSON."""
        fitting, body = self._fitting, self._body
        thinking = self._conversation()
        if forced(self._request) and thinking.on and not self._caps.forced_tool_choice_with_thinking:
            # The client relies on the call that it forces; thinking only makes it better.
            fitting.lose(
                "thinking", "switched off: a model that thinks cannot be forced to call a tool here", "warning"
            )
            thinking.member = body["thinking"] = {"type": "disabled"}
        self._limits()
        self._hinted = write_tools(self._request, fitting, body) or self._hinted
        self._sampling(thinking_on=thinking.on)
        self._output(thinking.effort)
        self._write_system()
        self._write_flags()
        if not fitting.own and self._caps.cache_hints:
            self._automatic_caching()
        return Rendered(msgspec.json.encode(body), unique(fitting.losses), fitting.names, self._watched)

    def _conversation(self) -> Plan:
        """System text, messages and thinking, which depends on them."""
        request, fitting, count = self._request, self._fitting, 0
        for i, part in enumerate(request.system):
            self._system += self._system_part(part, f"system[{i}]")
        calls_odd = fitting.own and not self._caps.mid_system and any(m.role == "system" for m in request.messages)
        said: Said | None
        if fitting.own and not calls_odd:
            said = straight(request.messages, fitting)
            if said.last and said.last[-1]["role"] == "assistant" and not self._caps.prefill:
                fitting.lose("messages[-1]", "this model does not continue an assistant's message; it is asked to")
                said.last.append({"role": "user", "content": GO_ON})
        else:
            system, count = leading(request.messages, fitting)
            self._system += system
            said = (
                None
                if fitting.own
                else stretches(
                    request.messages,
                    fitting,
                    count,
                    sum(part.cache is not None for part in self._system if isinstance(part, Text)),
                )
            )
            if said is None:
                grouped = regrouped(request.messages, fitting, count)
                if not fitting.own:
                    _cap_hints(self._system, grouped, fitting)
                hinted = any(map(is_hinted, request.messages))
                said = Said((), written_turns(grouped, own=fitting.own), hinted)
        self._hinted = said.hinted or any(map(is_hinted, request.messages[:count]))
        self._body["messages"] = [*said.known, *said.last]
        thinking = plan(request, said.last, fitting)
        if thinking.member is not None:
            self._body["thinking"] = thinking.member
        return thinking

    def _system_part(self, part: Text | Opaque, path: str) -> list[Text | Opaque]:
        if isinstance(part, Opaque) and part.kind == "attribution":
            if self._caps.attribution:
                return [part]
            self._fitting.lose(path, "Claude Code's attribution is for Anthropic only", "info")
            return []
        return [p for p in self._fitting.part(part, path) if isinstance(p, Text | Opaque)]

    def _limits(self) -> None:
        """max_tokens: required by the API, so another dialect's request without one gets a default."""
        limit, caps = self._request.max_tokens, self._caps
        if limit is None and not self._fitting.own:
            limit = caps.default_max_tokens
            limit = min(limit, caps.max_output_tokens) if caps.max_output_tokens else limit
        if limit is None:
            return
        if caps.max_output_tokens and limit > caps.max_output_tokens:
            self._fitting.lose("max_tokens", f"lowered to the model's maximum of {caps.max_output_tokens}", "info")
            limit = caps.max_output_tokens
        elif 0 <= limit < caps.min_output_tokens and not self._fitting.own:
            self._fitting.lose("max_tokens", f"raised to the provider's minimum of {caps.min_output_tokens}", "info")
            limit = caps.min_output_tokens
        self._body["max_tokens"] = limit

    # ---- the rest ----

    def _sampling(self, *, thinking_on: bool) -> None:
        fitting, caps, sampling = self._fitting, self._caps, self._request.sampling
        numbers = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k}
        for key, value in numbers.items():
            if value is None:
                continue
            if not caps.sampling or (key == "top_k" and not caps.top_k):
                fitting.lose(key, "this model does not take it", "info")
            elif not fitting.own and thinking_on:
                fitting.lose(key, "a model that thinks does not take it", "info")
            elif key == "temperature" and not 0 <= value <= min(caps.temperature_max, 1) and not fitting.own:
                fitting.lose(key, "this dialect's temperatures are from 0 to 1", "info")
                self._body[key] = 0 if value < 0 else min(caps.temperature_max, 1)
            elif key == "top_p" and "temperature" in self._body and not fitting.own:
                fitting.lose(key, "newer models take only one of temperature and top_p", "info")
            else:
                self._body[key] = value
        # those of white space are refused
        taken = [word for word in sampling.stop if fitting.own or word.strip()][: caps.max_stop_sequences]
        self._watched = tuple(word for word in sampling.stop if word and word not in taken)
        if taken:
            self._body["stop_sequences"] = taken

    def _output(self, effort: str | None) -> None:
        """output_config: effort, format, and what else it held."""
        config: Json = {}
        given = self._body.get("output_config", _NULL)
        if given != _NULL:
            config = msgspec.json.decode(given, type=dict[str, Raw])
            self._body["output_config"] = config
        if effort is not None:
            config["effort"] = effort
        output = self._request.output
        if output is not None and output.kind != "text":
            self._format(output, config)
        if config:
            self._body["output_config"] = config

    def _format(self, output: OutputFormat, config: Json) -> None:
        fitting = self._fitting
        if output.kind == "json_schema" and output.schema is not None and self._caps.structured_output == "json_schema":
            extras = fitting.extras(output.extras, "output_config.format")
            written: Json = {**extras, "type": "json_schema", "schema": output.schema}
            if not fitting.own:
                written["schema"], changed = enforceable(output.schema)
                if changed:
                    fitting.lose("response_format.json_schema", "objects are closed; limits are only described", "info")
            if fitting.own and OUTPUT_FORMAT in self._request.forms:
                self._body[OUTPUT_FORMAT] = written
            else:
                config["format"] = written
            return
        words = _JSON_ONLY
        if output.schema is not None:
            words += f" It must follow this JSON schema:\n{bytes(output.schema).decode('utf-8', 'replace')}"
        self._system.append(Text(words))
        where = "output_config.format" if fitting.own else "response_format"
        fitting.lose(
            where, "asked for in words: the provider does not enforce it", "warning" if output.schema else "info"
        )

    def _write_system(self) -> None:
        system, own = self._system, self._fitting.own
        if not system:
            return
        first = system[0]
        as_string = not own or SYSTEM_STRING in self._request.forms
        if as_string and len(system) == 1 and isinstance(first, Text) and first.cache is None:
            self._body["system"] = first.text
        else:
            self._body["system"] = [render_part(part, own=own) for part in system]

    def _write_flags(self) -> None:
        request, caps, own = self._request, self._caps, self._fitting.own
        if request.stream:
            self._body["stream"] = True
        elif own and STREAM_FALSE in request.forms:
            self._body["stream"] = False
        if request.user is not None:
            if caps.user:
                metadata = msgspec.json.decode(self._body.get("metadata", EMPTY_OBJECT), type=dict[str, Raw])
                self._body["metadata"] = {**metadata, "user_id": request.user}
            else:
                self._fitting.lose("metadata.user_id" if own else "user", "this provider does not take it", "info")
        if request.tier is not None:
            if request.tier in caps.service_tiers or (own and caps.betas):
                self._body["service_tier"] = request.tier
            else:
                self._fitting.lose("service_tier", "this provider does not have that tier", "info")
        if request.cache_key is not None:
            self._fitting.lose("prompt_cache_key", "this dialect marks what to cache instead", "info")

    def _automatic_caching(self) -> None:
        """Other dialects cache by themselves; here it has to be asked for, and pays where a prompt comes again."""
        request = self._request
        if not self._hinted and (request.tools or len(request.messages) > 2):
            self._body["cache_control"] = {"type": "ephemeral"}


def _cap_hints(system: list[Text | Opaque], turns: list[Turn], fitting: Fitting) -> None:
    """The API refuses more than four breakpoints: the last ones stay, for each covers what is before it."""
    left = MAX_CACHE_HINTS
    lists: list[list[Any]] = [system, *(parts for turn in turns for parts in (turn.results, turn.parts))]
    for parts in reversed(lists):
        for i in range(len(parts) - 1, -1, -1):
            if getattr(parts[i], "cache", None) is None:
                continue
            left -= 1
            if left < 0:
                parts[i] = replace(parts[i], cache=None)
                fitting.lose("cache_control", f"only the last {MAX_CACHE_HINTS} breakpoints are kept", "info")
