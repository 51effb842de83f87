"""The contents of a request, as Google is told.

Contents of this dialect go out as they came, but for what the target cannot take. Those of another dialect are put in
Google's order first (see `turns`).
"""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.gemini.calls import render_call, render_response
from strowger.dialects.gemini.fit import fit
from strowger.dialects.gemini.job import Job
from strowger.dialects.gemini.members import EMPTY, WRITTEN, Json, inner, put, put_back, spelled
from strowger.dialects.gemini.parts import ALONE, render_part
from strowger.dialects.gemini.turns import system_texts, turns
from strowger.dialects.gemini.wire import CONTINUE, ON_CALL, ON_PART, ON_TEXT, SIGNATURE, SKIP_SIGNATURE
from strowger.dialects.losses import thinking_loss
from strowger.dialects.neighbours import leading_system, place
from strowger.dialects.stretches import Outcome, stretched
from strowger.ir.request import Audio, Message, Part, Signed, Text, Thinking, ToolCall, ToolResult

SYSTEM_STRING = "systemInstruction=string"
SYSTEM_OBJECT = "systemInstruction.parts=object"
CONTENTS_OBJECT = "contents=object"

# in Message.form
NO_ROLE = "role=none"
ROLE = "role="
NO_PARTS = "parts=none"
PARTS_OBJECT = "parts=object"

_SIGNATURE = "thoughtSignature"
_SNAKE = "thought_signature"
_TRUE = Raw(b"true")
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_ROLES = {"user": "user", "assistant": "model"}


def render_contents(job: Job, body: Json) -> None:
    """Set `systemInstruction` and `contents`."""
    messages = job.request.messages
    system = [] if job.ours else system_texts(job)
    start = 0 if job.ours else leading_system(messages)
    told = stretched(job, job.space(), messages, start, partial(_stretch, job, start), free=job.ours)
    known: list[Raw] = [] if told is None else told.raws
    if told is None:
        contents = _contents(job, start, len(messages))
    else:
        contents = [node for node in told.last.nodes if isinstance(node, dict)]
    if job.ours:
        _own_system(job, body)
        _set_contents(job, body, known, contents)
        return
    _foreign_system(job, body, system, contents)
    _finish(job, contents, begun=bool(known))
    body["contents"] = [*known, *contents]


def _stretch(job: Job, first: int, start: int, end: int) -> Outcome:
    """The contents of the messages from one place to another, of a conversation that begins at `first`."""
    contents = _contents(job, start, end)
    if job.ours:
        return Outcome(contents, begins=True, ends=True)
    begins = bool(contents) and contents[0]["role"] == ("user" if start == first else "model")
    return Outcome(contents, begins, ends=bool(contents) and contents[-1]["role"] == "user")


def _contents(job: Job, start: int, end: int) -> list[Json]:
    if job.ours:
        return [_own_content(job, job.request.messages[i], f"contents[{i}]") for i in range(start, end)]
    contents: list[Json] = []
    for turn in turns(job, start, end):
        parts = _Writing(job, turn.role == "model").parts(turn.parts)
        if not parts:
            continue
        if contents and contents[-1]["role"] == turn.role:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": turn.role, "parts": parts})
    return contents


# ---- system ----


def _own_system(job: Job, body: Json) -> None:
    request = job.request
    texts = [node for part in request.system if (node := render_part(part)) is not None]
    texts += [{"text": text} for text in job.instructions]
    name = spelled(body, "systemInstruction")
    if not texts:
        return
    if SYSTEM_STRING in request.forms and len(texts) == 1 and isinstance(request.system[0], Text):
        body[name] = request.system[0].text
        return
    node = inner(body, "systemInstruction")
    node["parts"] = texts[0] if SYSTEM_OBJECT in request.forms and len(texts) == 1 else texts


def _foreign_system(job: Job, body: Json, system: list[str], contents: list[Json]) -> None:
    """The system text; where it is all there is, it is what the model shall answer."""
    texts = [*system, *job.instructions]
    if not texts:
        return
    if not contents:
        job.lose("system", "there is no message; the system text is sent as the user's", "info")
        contents.append({"role": "user", "parts": [{"text": text} for text in texts]})
        return
    body["systemInstruction"] = {"parts": [{"text": text} for text in texts]}


def _finish(job: Job, contents: list[Json], *, begun: bool) -> None:
    """Begin with the user, and end with the user where the model does not continue its own words. `begun`: these are
    not the first ones.
    """
    if contents and contents[0]["role"] == "model" and not begun:
        job.lose(
            place(job.request.origin, 0),
            "a conversation begins with the user; an empty remark is put before it",
            "info",
        )
        contents.insert(0, {"role": "user", "parts": [{"text": "(the conversation begins)"}]})
    if contents and contents[-1]["role"] == "model" and not job.caps.prefill:
        last = place(job.request.origin, len(job.request.messages) - 1)
        job.lose(last, "the model does not continue a message of its own")
        contents.append({"role": "user", "parts": [{"text": CONTINUE}]})


# ---- contents ----


def _own_content(job: Job, message: Message, path: str) -> Json:
    """A content of this dialect, in the client's order."""
    node = put_back(message.extras)
    form = message.form.split()
    if NO_ROLE not in form:
        word = next((flag.removeprefix(ROLE) for flag in form if flag.startswith(ROLE)), None)
        node["role"] = _ROLES.get(message.role, "user") if word is None else word
    parts = _Writing(job, message.role == "assistant").parts(
        [(f"{path}.parts[{i}]", part) for i, part in enumerate(message.parts)]
    )
    if NO_PARTS not in form:
        node["parts"] = parts[0] if PARTS_OBJECT in form and len(parts) == 1 else parts
    return node


def _set_contents(job: Job, body: Json, known: list[Raw], contents: list[Json]) -> None:
    single = CONTENTS_OBJECT in job.request.forms and len(contents) == 1 and not known
    body["contents"] = contents[0] if single else [*known, *contents]


# ---- parts ----


class _Writing:
    """The parts of one content. `signed`: the signatures of its calls, by the ids of the calls."""

    def __init__(self, job: Job, model: bool) -> None:
        self._job = job
        self._model = model
        self._out: list[Json | Raw] = []
        self._lifted: list[Json | Raw] = []
        self._signed: dict[str, Thinking] = {}
        self._calls = 0

    def parts(self, parts: list[tuple[str, Part]]) -> list[Json | Raw]:
        """All of them, as Google writes them."""
        if self._model:
            calls = {part.id for _, part in parts if isinstance(part, ToolCall)}
            for _, part in parts:
                if isinstance(part, Thinking) and part.signed is not None and self._is_ours(part.signed):
                    identity = part.signed.id
                    if identity.startswith(ON_CALL) and identity[len(ON_CALL) :] in calls:
                        self._signed[identity[len(ON_CALL) :]] = part
        for path, part in parts:
            self._write(path, part)
        return self._out + self._lifted

    def _is_ours(self, signed: Signed) -> bool:
        """Whether the target issued it: nobody else gets it back."""
        return signed.kind == SIGNATURE and bool(signed.blob) and signed.origin == self._job.caps.origin

    def _write(self, path: str, part: Part) -> None:
        match part:
            case Thinking():
                self._thinking(path, part)
            case ToolCall():
                self._call(path, part)
            case ToolResult():
                self._result(path, part)
            case _:
                self._plain(path, part)

    def _plain(self, path: str, part: Part) -> None:
        fitted = fit(self._job, part, path)
        node = render_part(fitted) if fitted is not None else None
        if node is not None:
            self._out.append(node)

    # -- thinking --

    def _thinking(self, path: str, part: Thinking) -> None:
        """Thoughts and signatures go back to who issued them; to nobody else, and unsigned ones only as written."""
        signed, job = part.signed, self._job
        if signed is None and job.ours:
            self._thought(part)
        elif signed is not None and self._is_ours(signed):
            if signed.id:
                self._signature(path, part, signed)
            else:
                self._thought(part)
        elif part.text or signed is not None:
            lost = thinking_loss(part, path)
            job.lose_once(path, lost.reason, lost.severity)

    def _thought(self, part: Thinking) -> None:
        node = render_part(part if self._job.ours else Thinking(part.text))
        if isinstance(node, dict):
            self._out.append(self._sign(node, part))

    def _signature(self, path: str, part: Thinking, signed: Signed) -> None:
        """A signature of another part is put on it; calls take theirs themselves."""
        ours, last = self._job.ours, self._out[-1] if self._out else None
        if signed.id.startswith(ON_CALL):
            if signed.id[len(ON_CALL) :] not in self._signed:
                self._job.lose_once(path, "a thought signature whose function call is gone", "info")
        elif part.form == ALONE and ours:
            self._out.append(self._sign({}, part))
        elif signed.id == ON_PART and not ours:
            self._job.lose_once(path, "a thought signature whose part is not carried", "info")
        elif last is None or _is_signed(last) or (signed.id == ON_TEXT and not _bears_text(last)):
            self._out.append(self._sign({"text": ""}, part))
        else:
            self._out[-1] = self._sign(_MEMBERS.decode(last) if isinstance(last, Raw) else last, part)

    def _sign(self, node: Json, part: Thinking) -> Json:
        """Put a signature on a part, spelled as it was."""
        if part.signed is not None:
            if self._job.ours and part.extras.get(_SNAKE) == WRITTEN:
                node.setdefault(_SNAKE, WRITTEN)
            put(node, _SIGNATURE, part.signed.blob)
        return node

    # -- calls and results --

    def _call(self, path: str, call: ToolCall) -> None:
        job = self._job
        arguments = _arguments(job, call, path)
        if not job.ours:
            call = replace(job.own(call, path), form="")
        self._calls += 1
        node = render_call(replace(call, name=job.tool_name(call.name)), arguments)
        holder = self._signed.get(call.id)
        if holder is not None:
            self._sign(node, holder)
        elif job.caps.thought_signatures and self._calls == 1 and not _is_signed(node):
            job.lose_once(path, "a function call that this provider did not sign goes with a note of that", "info")
            put(node, _SIGNATURE, SKIP_SIGNATURE)
        self._out.append(node)

    def _result(self, path: str, result: ToolResult) -> None:
        """A result, its pictures inside or behind all results of the content."""
        job = self._job
        texts: list[str] = []
        inside: list[Json | Raw] = []
        outside: list[Json | Raw] = []
        for i, part in enumerate(result.content):
            if job.ours and isinstance(part, Text):
                continue  # it is in the response itself
            fitted = fit(job, part, f"{path}.content[{i}]")
            if isinstance(fitted, Text):
                if job.ours:
                    outside.append({"text": fitted.text})
                else:
                    texts.append(fitted.text)
            elif fitted is not None and (node := render_part(fitted)) is not None:
                nested = job.caps.tool_result_images and (job.ours or not isinstance(part, Audio))
                (inside if nested else outside).append(node)
        if outside:
            job.lose_once(path, "pictures and files of a tool result are sent behind it", "info")
            self._lifted += [{"text": f"[from the result of tool call {result.call_id}]"}, *outside]
        if job.ours:
            self._out.append(render_response(replace(result, name=job.tool_name(result.name or "")), inside))
            return
        result = job.own(result, path)
        text = "\n\n".join(text for text in texts if text)
        self._out.append(_foreign_result(job, result, text, inside))


def _foreign_result(job: Job, result: ToolResult, text: str, media: list[Json | Raw]) -> Json:
    response: Json = {"id": result.call_id} if result.call_id else {}
    response["name"] = job.tool_name(result.name or "")
    response["response"] = {"error" if result.is_error else "output": text}
    if media:
        response["parts"] = media
    return {"functionResponse": response}


def _arguments(job: Job, call: ToolCall, path: str) -> Raw:
    """The arguments as a JSON object: Google takes nothing else."""
    if job.ours:
        return Raw(call.arguments.encode())
    if call.kind == "custom":
        return Raw(msgspec.json.encode({"input": call.arguments}))
    if call.arguments.strip() in {"", "null"}:
        return EMPTY
    try:
        msgspec.json.decode(call.arguments, type=dict[str, Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        job.lose(f"{path}.arguments", "the arguments are not a JSON object; they go as raw_arguments")
        return Raw(msgspec.json.encode({"raw_arguments": call.arguments}))
    return Raw(call.arguments.encode())


def _bears_text(node: Json | Raw) -> bool:
    return isinstance(node, dict) and isinstance(node.get("text"), str) and node.get("thought") != _TRUE


def _is_signed(node: Json | Raw) -> bool:
    members: Json = _MEMBERS.decode(node) if isinstance(node, Raw) else node
    held = members.get(spelled(members, _SIGNATURE))
    return bool(held) and held != WRITTEN
