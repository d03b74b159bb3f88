"""A tool server with everything that the public conformance suite asks a server for, as a program. Standard library alone."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from typing import Any

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
SOUND = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAAAAA=="
TEXT = {"type": "text", "text": "This is a simple text response for testing."}
IMAGE = {"type": "image", "data": PIXEL, "mimeType": "image/png"}
AUDIO = {"type": "audio", "data": SOUND, "mimeType": "audio/wav"}


def resource(uri: str, text: str, media: str = "text/plain") -> dict[str, Any]:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": media, "text": text}}


EMBEDDED = resource("test://embedded-resource", "This is an embedded resource content.")
MIXED = [TEXT, IMAGE, resource("test://mixed-content-resource", '{"test":"data","value":123}', "application/json")]
CONTENTS: dict[str, list[Any]] = {
    "test_simple_text": [TEXT], "test_image_content": [IMAGE], "test_audio_content": [AUDIO],
    "test_embedded_resource": [EMBEDDED], "test_multiple_content_types": MIXED,
}  # fmt: skip
DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
PLAIN, TITLED = (
    ["option1", "option2", "option3"],
    [{"const": f"value{n}", "title": f"{word} Option"} for n, word in enumerate(("First", "Second", "Third"), 1)],
)
ENUMS = {
    "untitledSingle": {"type": "string", "enum": PLAIN},
    "titledSingle": {"type": "string", "oneOf": TITLED},
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": PLAIN}},
    "titledMulti": {"type": "array", "items": {"anyOf": TITLED}},
}  # fmt: skip
MESSAGE = {"type": "object", "properties": {"username": {"type": "string"}}, "required": ["username"]}
ASKS: dict[str, dict[str, Any]] = {
    "test_elicitation": MESSAGE,
    "test_elicitation_sep1034_defaults": {"type": "object", "properties": DEFAULTS, "required": []},
    "test_elicitation_sep1330_enums": {"type": "object", "properties": ENUMS, "required": []},
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "test_sampling": {"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]},
    "test_elicitation": {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]},
}
TOOLS = [*CONTENTS, *ASKS, "test_tool_with_logging", "test_tool_with_progress", "test_error_handling", "test_sampling"]
READABLE = {
    "test://static-text": {"mimeType": "text/plain", "text": "This is the content of the static text resource."},
    "test://static-binary": {"mimeType": "image/png", "blob": PIXEL},
    "test://watched-resource": {"mimeType": "text/plain", "text": "Watched."},
}
PROMPTS: dict[str, tuple[str, ...]] = {
    "test_simple_prompt": (), "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",), "test_prompt_with_image": (),
}  # fmt: skip
later: deque[str] = deque()
asked = 0


def say(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **said}) + "\n")
    sys.stdout.flush()


def ask(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Ask the client; what else it says meanwhile is for later."""
    global asked  # noqa: PLW0603 -- a program of one task
    asked += 1
    say({"id": f"asked-{asked}", "method": method, "params": params})
    for line in sys.stdin:
        answer: dict[str, Any] = json.loads(line)
        if answer.get("id") == f"asked-{asked}":
            return answer
        later.append(line)
    raise SystemExit


def call(name: str, arguments: dict[str, Any], token: object) -> dict[str, Any]:
    if name in CONTENTS:
        return {"content": CONTENTS[name]}
    if name == "test_error_handling":
        return {
            "content": [{"type": "text", "text": "This tool intentionally returns an error for testing"}],
            "isError": True,
        }
    if name == "test_tool_with_logging":
        for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            say({"method": "notifications/message", "params": {"level": "info", "data": words}})
            time.sleep(0.02)
    if name == "test_tool_with_progress":
        for progress in (0, 50, 100):
            say(
                {
                    "method": "notifications/progress",
                    "params": {"progressToken": token, "progress": progress, "total": 100},
                }
            )
            time.sleep(0.02)
    if name == "test_sampling":
        message = {"role": "user", "content": {"type": "text", "text": arguments["prompt"]}}
        said = ask("sampling/createMessage", {"messages": [message], "maxTokens": 100})
        return {"content": [{"type": "text", "text": f"LLM response: {said['result']['content']['text']}"}]}
    if name in ASKS:
        words = arguments.get("message", "Please say.")
        said = ask("elicitation/create", {"message": words, "requestedSchema": ASKS[name]})["result"]
        text = f"Elicitation completed: action={said['action']}, content={json.dumps(said.get('content'))}"
        return {"content": [{"type": "text", "text": text}]}
    return {"content": [{"type": "text", "text": "done"}]}


def read(uri: str) -> dict[str, Any]:
    if uri.startswith("test://template/"):
        number = uri.split("/")[3]
        said = {"id": number, "templateTest": True, "data": f"Data for ID: {number}"}
        return {"contents": [{"uri": uri, "mimeType": "application/json", "text": json.dumps(said)}]}
    return {"contents": [{"uri": uri, **READABLE[uri]}]}


def prompt(name: str, given: dict[str, str]) -> dict[str, Any]:
    parts: list[Any] = [{"type": "text", "text": f"Prompt with arguments: {json.dumps(given)}"}]
    if name == "test_prompt_with_embedded_resource":
        parts = [resource(given["resourceUri"], "Embedded resource content for testing."), *parts]
    if name == "test_prompt_with_image":
        parts = [IMAGE, *parts]
    if name == "test_prompt_with_arguments":
        parts = [{"type": "text", "text": f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'"}]
    return {"messages": [{"role": "user", "content": part} for part in parts]}


def listed(method: str) -> dict[str, Any]:
    if method == "tools/list":
        plain = {"type": "object", "properties": {}}
        return {
            "tools": [
                {"name": one, "description": f"Tests {one}.", "inputSchema": SCHEMAS.get(one, plain)} for one in TOOLS
            ]
        }
    if method == "prompts/list":
        arguments = {name: [{"name": one, "required": True} for one in wanted] for name, wanted in PROMPTS.items()}
        return {
            "prompts": [{"name": name, "description": "Tests.", "arguments": some} for name, some in arguments.items()]
        }
    if method == "resources/list":
        return {"resources": [{"uri": uri, "name": uri, "mimeType": one["mimeType"]} for uri, one in READABLE.items()]}
    return {"resourceTemplates": [{"uriTemplate": "test://template/{id}/data", "name": "template"}]}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        resources = {"subscribe": True, "listChanged": True}
        capabilities = {"tools": {}, "prompts": {}, "resources": resources, "logging": {}, "completions": {}}
        about = {"name": "everything", "version": "1"}
        return {"protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": about}
    if method.endswith("/list"):
        return listed(method)
    if method == "tools/call":
        return call(params["name"], params.get("arguments", {}), params.get("_meta", {}).get("progressToken"))
    if method == "resources/read":
        return read(params["uri"])
    if method == "prompts/get":
        return prompt(params["name"], params.get("arguments", {}))
    return {"completion": {"values": ["paris", "park"], "total": 2, "hasMore": False}} if "ref" in params else {}


def main() -> None:
    while True:
        line = later.popleft() if later else sys.stdin.readline()
        if not line:
            return
        said = json.loads(line)
        if "id" in said and "method" in said:
            say({"id": said["id"], "result": answer(said["method"], said.get("params", {}))})


if __name__ == "__main__":
    main()
