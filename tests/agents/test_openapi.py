"""OpenAPI documents: what is read of them, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents import actions as inventory
from agents.api_actions import describe_api
from agents.openapi import Operation, read
from core.errors import Invalid, NarrowgateError
from ledger.events import Event
from ledger.models import Outbox
from tests.cast import Cast

YAML = """
openapi: 3.0.3
info: {title: Bank, version: "2"}
paths:
  /transfers/{id}:
    parameters: [{name: id, in: path}, {$ref: "#/components/parameters/Trace"}]
    get: {summary: One transfer, parameters: [{name: expand, in: query}]}
    put: {operationId: change, requestBody: {$ref: "#/components/requestBodies/Change"}}
    trace: {operationId: never}
components:
  parameters: {Trace: {name: X-Trace, in: header}}
  requestBodies: {Change: {content: {application/json: {}}}}
"""


def test_operations_are_read() -> None:
    found = read(YAML)
    assert (found.title, found.version) == ("Bank", "2")
    assert found.operations == (
        Operation("get_transfers_id", "GET", "/transfers/{id}", ("expand",), ("x-trace",), (), "One transfer"),
        Operation("change", "PUT", "/transfers/{id}", (), ("x-trace",), ("application/json",)),
    )


def _document(**changed: Any) -> str:
    return json.dumps({"openapi": "3.1.0", "info": {}, "paths": {"/a": {"get": {}}}} | changed)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", "a: &x [*x]", "openapi: '2.0'", _document(openapi="4.0"), _document(paths={}), _document(paths={"a": {"get": {}}}),
        _document(paths={"/a?b": {"get": {}}}), _document(paths={"/a": {"$ref": "x"}}), _document(paths={"/a": {"get": {"operationId": "a b"}}}),
        _document(paths={"/a": {"get": {"parameters": [{"$ref": "https://evil.test/p"}]}}}),
        _document(paths={"/a": {"get": {"parameters": [{"$ref": "#/nowhere"}]}}}),
        _document(paths={"/a": {"get": {"parameters": [{"name": "X Y", "in": "header"}]}}}),
        _document(paths={"/a/{x}": {"get": {"operationId": "one"}}, "/a/{y}": {"get": {"operationId": "two"}}}),
        _document(paths={"/a": {"get": {"operationId": "one"}}, "/b": {"get": {"operationId": "one"}}}),
        "a: " + "[" * 100 + "]" * 100, " " * 1_000_001,
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(text)
    assert refused.value.field == "document"
    assert refused.value.remedy


def test_describing_leaves_an_entry_and_counts_at_once(cast: Cast) -> None:
    segment = inventory.create_segment("lab", purpose="", actor=cast.engineer)
    bank = inventory.add_resource("bank", kind="http", segment=segment, host="api.bank.test", actor=cast.engineer)
    found = describe_api(bank.id, document=YAML, actor=cast.engineer)
    assert len(found.operations) == 2
    describe_api(bank.id, document=_document(), actor=cast.engineer)
    details = json.loads(bytes(Outbox.objects.filter(event=Event.RESOURCE_DESCRIBED).latest("id").leaf))["details"]
    assert (details["operations"], details["before"]) == (1, found.digest)
    shop = inventory.add_resource(
        "books", segment=segment, host="localhost", database="books", tls="off", actor=cast.engineer
    )
    for refused, actor in ((shop.id, cast.engineer), (bank.id, cast.outsider)):
        with pytest.raises(NarrowgateError):
            describe_api(refused, document=YAML, actor=actor)
