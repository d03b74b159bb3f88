"""What every operation of the API may answer besides its result, for the API's description. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

METHODS: Final = ("get", "post", "put", "patch", "delete")
ALWAYS: Final[Mapping[int, str]] = {
    400: "The request cannot be read, or some fields cannot be used: `errors` names each.",
    401: "There is no live token of a person.",
    403: "The token's scopes do not cover it, or a rule refuses it: `code` names the rule.",
    404: "There is no such thing, or none that you may see.",
    406: "Answers are JSON.",
    422: "A value cannot be used: `field` names it, `remedy` says what to do.",
    429: "Too many requests; `Retry-After` says when to try again.",
}
WRITING: Final[Mapping[int, str]] = {
    409: "It changed or was settled meanwhile.",
    413: "The body is larger than the console takes.",
    415: "Bodies are JSON.",
}
PROBLEM: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "A problem (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Which rule answered."},
        "detail": {"type": "string", "description": "What is wrong, in words."},
        "remedy": {"type": "string", "description": "What to do about it."},
        "field": {"type": "string", "description": "The field that is wrong, where it is one."},
        "errors": {"type": "object", "description": "What is wrong with each field, where there are several."},
    },
}


def describe(result: dict[str, Any], **_given: object) -> dict[str, Any]:
    """drf-spectacular's hook: add the problems to every operation of `result`."""
    result.setdefault("components", {}).setdefault("schemas", {})["ProblemDetails"] = dict(PROBLEM)
    for operations in result["paths"].values():
        for method in METHODS:
            if method in operations:
                problems = ALWAYS if method == "get" else {**ALWAYS, **WRITING}
                for status, words in problems.items():
                    operations[method]["responses"].setdefault(str(status), _problem(status, words))
    return result


def _problem(status: int, words: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        "description": f"{HTTPStatus(status).phrase}. {words}",
        "content": {"application/problem+json": {"schema": schema}},
    }
