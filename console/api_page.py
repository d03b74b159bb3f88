"""The page that documents the REST API, written from its own OpenAPI description.

`script/docs` writes it; a test compares.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

HEAD = """# The REST API

For people and their pipelines, under `/api/v1/` at the console's address.

* `Authorization: Token …` with a token of a person: it expires, and its scopes say what it may do besides reading. Agents' credentials are not taken here.
* Lists page by cursor (`next`, `previous`); what you may not see is 404, as if it were not there.
* Errors are `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)): `detail` says what is wrong and what to do, `field` which field.
* The whole description, machine-readable: `/api/schema/`.

| | path | what it does |
|---|---|---|
"""
METHODS = ("get", "post", "put", "patch", "delete")


def page() -> str:
    """The page, as Markdown. Django must be set up."""
    from drf_spectacular.generators import SchemaGenerator

    generator: Any = SchemaGenerator
    described: Mapping[str, Any] = generator().get_schema(request=None, public=True)
    return HEAD + "".join(sorted(_rows(described["paths"]), key=lambda row: row.split("|")[2]))


def _rows(paths: Mapping[str, Any]) -> Iterator[str]:
    for path, operations in paths.items():
        for method in METHODS:
            if method in operations:
                yield f"| {method.upper()} | `{path}` | {_sentence(operations[method])} |\n"


def _sentence(operation: Mapping[str, Any]) -> str:
    """The first sentence of what the operation says of itself."""
    words = " ".join(str(operation.get("summary") or operation.get("description") or "").split())
    return words.split(". ")[0].rstrip(".") + "." if words else ""


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup()
    sys.stdout.write(page())
