"""One reading of a path: what two servers could read differently is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.openapi import Operation
from gateway.http.paths import Routes, fields, segments, target
from gateway.refusal import Refusal

ROUTES = Routes(
    [
        Operation("getUser", "GET", "/users/{id}"),
        Operation("getMe", "GET", "/users/me"),
        Operation("list", "GET", "/users"),
        Operation("listSlash", "GET", "/users/"),
        Operation("file", "GET", "/files/{name}.json"),
        Operation("root", "GET", "/"),
    ]
)


@pytest.mark.parametrize(
    ("raw", "operation", "parameters"),
    [
        ("/users/7", "getUser", {"id": "7"}),
        ("/users/me", "getMe", {}),
        ("/users/m%65", "getMe", {}),
        ("/users/%C3%A4", "getUser", {"id": "ä"}),
        ("/users", "list", {}),
        ("/users/", "listSlash", {}),
        ("/files/a.b.json", "file", {"name": "a.b"}),
        ("/", "root", {}),
    ],
)
def test_a_listed_operation_is_found(raw: str, operation: str, parameters: dict[str, str]) -> None:
    found = ROUTES.find("GET", segments(raw))
    assert (found.operation.name, dict(found.parameters)) == (operation, parameters)


@pytest.mark.parametrize(
    "raw",
    [
        "users/7", "//users/7", "/users//7", "/users/../admin", "/users/./7", "/users/%2e%2e/admin", "/users/%2E", "/users/..%2fadmin",
        "/users%2f7", "/users%5c7", "/users\\7", "/users/7;admin=1", "/users/7%3badmin", "/users/%00", "/users/a%0d%0aX", "/users/%c0%ae%c0%ae",
        "/users/%ff", "/users/%", "/users/%4", "/users/%zz", "/users/%252e%252e", "/users/7.", "/users/7%20", "/users/...", "/users/ 7",
        "/users/\x7f", "/users/é", "/users/<x>", "/users/7#x", "/users/%e2%80%a8", "/" + "a" * 5_000,
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused(raw: str) -> None:
    with pytest.raises(Refusal) as refused:
        segments(raw)
    assert refused.value.code == "path_denied"


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("GET", "/Users"),
        ("GET", "/admin"),
        ("POST", "/users"),
        ("get", "/users"),
        ("GET", "/users/7/keys"),
        ("GET", "/files/x.yaml"),
    ],
)
def test_what_is_not_listed_is_refused(method: str, raw: str) -> None:
    with pytest.raises(Refusal) as refused:
        ROUTES.find(method, segments(raw))
    assert refused.value.code == "unlisted_operation"


@pytest.mark.parametrize(
    "raw",
    [
        "a=1;b=2",
        "a=%00",
        "a=%ff",
        "a",
        "a=1&&b",
        "a=<",
        "a=\x01",
        "a=1#b",
        "&".join(f"a{n}=1" for n in range(300)),
        "a=" + "b" * 9_000,
    ],
)
def test_a_query_that_cannot_be_read_is_refused(raw: str) -> None:
    with pytest.raises(Refusal):
        fields(raw)


def test_a_query_is_written_anew() -> None:
    asked = fields("q=a%20b&q=c+d&next=%2Fx%3Fy%3D1&empty=")
    assert asked == (("q", "a b"), ("q", "c d"), ("next", "/x?y=1"), ("empty", ""))
    assert target("/v1/", ("users", "ä b"), asked) == "/v1/users/%C3%A4%20b?q=a%20b&q=c%20d&next=%2Fx%3Fy%3D1&empty="
    assert target("", ("",), ()) == "/"


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(max_codepoint=255), max_size=40))
def test_whatever_is_read_is_written_so_that_it_reads_the_same(raw: str) -> None:
    try:
        parts = segments(f"/{raw}")
    except Refusal:
        return
    assert segments(target("", parts, ())) == parts
    assert not {"", ".", ".."} & set(parts[:-1])
    assert not any("/" in part or "\\" in part or "%" in part for part in parts)
