"""Pure. Step 7 for MCP: what a tool server answers, masked by path for the agent and for every recording.

What a tool returns as structured content is masked by path. Beside it stands text for the model, often the same as JSON: that is masked alike.
Text that is no JSON, pictures and sounds cannot be masked by path: of a tool with tags they are withheld.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agents.detectors.forms import Form
from agents.detectors.masker import masked as look_through
from agents.detectors.scanner import Scanner
from gateway.http.answering import Plan
from gateway.http.masking import Path, hide, masked, parsed
from gateway.refusal import Refusal

WITHHELD: Final = "(withheld: what this returns is tagged, and this part of it cannot be masked)"
Given = Mapping[str, Any]


@dataclass(frozen=True)
class Shown:
    """An answer for the agent and for the recording, and how many values are masked for the agent; which of them detectors have found."""

    answer: Given
    recording: Given
    masked_values: int = 0
    detected: Mapping[str, int] = field(default_factory=dict)


def apply(method: str, result: Given, plan: Plan) -> Shown:
    """An answer by what is obliged. Raises Refusal for one that has not the form that its method asks for."""
    form = FORMS.get(method)
    if form is not None:
        form(result)
    answer, count = _masked(method, result, plan.answer)
    recording, _ = _masked(method, result, plan.recording)
    answer, found = looked_through(dict(answer), plan.scanner)
    recording, _ = looked_through(dict(recording), plan.detecting.scanner)
    return Shown(answer, recording, count + found.total(), found)


def looked_through(said: dict[str, Any], scanner: Scanner) -> tuple[dict[str, Any], Counter[str]]:
    """What a server says without what detectors find in it, and how many each has found. Raises ValueError for what JSON cannot say."""
    if not scanner:
        return said, Counter()
    body, found = look_through(
        json.dumps(said, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass"), scanner, Form.JSON
    )
    return (json.loads(body.decode("utf-8", "surrogatepass")), found) if found else (said, found)


def _masked(method: str, result: Given, paths: Sequence[Path]) -> tuple[Given, int]:
    if not paths:
        return result, 0
    if method == "resources/read":
        parts = [_contents(one, paths) for one in result["contents"]]
        return {"contents": [one for one, _ in parts]}, sum(count for _, count in parts)
    done: dict[str, Any] = {name: result[name] for name in ("isError",) if name in result}
    count = 0
    if "structuredContent" in result:
        done["structuredContent"], count = masked(result["structuredContent"], paths)
    parts = [_block(one, paths) for one in result.get("content", ())]
    same = "structuredContent" in result  # the text says it once more: its values are not counted twice
    return {**done, "content": [one for one, _ in parts]}, count + (0 if same else sum(more for _, more in parts))


def _block(block: Given, paths: Sequence[Path]) -> tuple[Given, int]:
    if block.get("type") == "text":
        text, count = _text(block["text"], paths)
        return {"type": "text", "text": text}, count
    return {"type": "text", "text": WITHHELD}, 1


def _contents(one: Given, paths: Sequence[Path]) -> tuple[Given, int]:
    about = {name: one[name] for name in ("uri", "mimeType") if name in one}
    text, count = _text(one["text"], paths) if "text" in one else (WITHHELD, 1)
    return {**about, "text": text}, count


def _text(text: str, paths: Sequence[Path]) -> tuple[str, int]:
    """A text without what is tagged in it, where it is JSON; else nothing of it."""
    try:
        said = parsed(text.encode("utf-8", "surrogatepass"))
        if not isinstance(said, (dict, list)):
            return WITHHELD, 1
        answer, count = masked(said, paths)
        return json.dumps(answer, ensure_ascii=False), count
    except (ValueError, RecursionError):
        return WITHHELD, 1


# ---- forms ----
def _tool_result(result: Given) -> None:
    blocks = result.get("content", [])
    if not isinstance(blocks, list) or not all(map(_is_block, blocks)):
        raise unclear("The content of its answer has not the form of MCP.")
    if not isinstance(result.get("structuredContent", {}), dict):
        raise unclear("The structured content of its answer is no object.")
    if not isinstance(result.get("isError", False), bool):
        raise unclear("Whether its answer is an error is not said.")


def _is_block(block: object) -> bool:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        return False
    return block["type"] != "text" or isinstance(block.get("text"), str)


def _read_result(result: Given) -> None:
    contents = result.get("contents")
    if not isinstance(contents, list) or not all(
        isinstance(one, dict) and isinstance(one.get("uri"), str) and isinstance(one.get("text", ""), str)
        for one in contents
    ):
        raise unclear("What was read has not the form of MCP.")


def _prompt_result(result: Given) -> None:
    messages = result.get("messages")
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise unclear("The messages of a prompt have not the form of MCP.")


FORMS: Final[Mapping[str, Callable[[Given], None]]] = {
    "tools/call": _tool_result,
    "resources/read": _read_result,
    "prompts/get": _prompt_result,
}


def unclear(why: str) -> Refusal:
    """What a server answered cannot be read."""
    return Refusal(f"The tool server answered what cannot be passed on: {why}", code="answer_unclear")


def without(message: bytes, secrets: Sequence[bytes]) -> bytes:
    """A message, as JSON, without the gate's own credential, however its characters are escaped there."""
    escaped = [json.dumps(one.decode("utf-8", "replace"), ensure_ascii=False)[1:-1].encode() for one in secrets]
    return hide(message, tuple(dict.fromkeys([*secrets, *escaped])))
