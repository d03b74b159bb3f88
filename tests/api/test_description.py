"""The API does what its description says, whatever it is sent: no 500, no undocumented status, type or body."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.bring.callers import Caller
from tests.cast import Cast

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OURS = {"authorization", "content-length", "content-type"}
"""Headers that the test sets itself."""
generator: Any = SchemaGenerator
schema = schemathesis.openapi.from_dict(generator().get_schema(request=None, public=True))
schema.config.phases.coverage.enabled = False  # its thousands of near misses are one and the same refusal here


@pytest.mark.django_db
@schema.parametrize()
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_operation_keeps_to_it(case: schemathesis.Case[Any], cast: Cast) -> None:
    case.validate_response(_sent(Caller(cast.engineer).client, case), checks=CHECKS)


@pytest.mark.django_db
@schema.include(path_regex="/reports").parametrize()
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_so_do_reports_for_whom_they_exist(case: schemathesis.Case[Any], cast: Cast) -> None:
    case.validate_response(_sent(Caller(cast.auditor).client, case), checks=CHECKS)


def _sent(client: Client, case: schemathesis.Case[Any]) -> httpx.Response:
    """The answer to `case`, as schemathesis reads it."""
    asked = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
    headers = {name: str(value) for name, value in asked.headers.items() if name.lower() not in OURS}
    kind, body = str(asked.headers.get("content-type", "")), asked.body or b""
    said: Any = client.generic(asked.method or "", asked.path_url, body, content_type=kind, headers=headers)
    content = b"".join(said.streaming_content) if said.streaming else said.content
    request = httpx.Request(asked.method or "", asked.url or "")
    answer = httpx.Response(said.status_code, headers=dict(said.headers), content=content, request=request)
    answer.elapsed = timedelta()
    return answer
