"""Settings by name: what may be set at start-up or later, with which values."""

from __future__ import annotations

import pytest

from gateway.postgres.settings_allowed import changes_meaning, check, check_show
from gateway.refusal import Refusal


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("application_name", "psql"),
        ("client_encoding", "UTF8"),
        ("client_encoding", "utf-8"),
        ("DateStyle", "ISO, MDY"),
        ("standard_conforming_strings", "ON"),
        ("extra_float_digits", "3"),
        ("statement_timeout", None),
    ],
)
def test_allowed(name: str, value: str | None) -> None:
    check(name, value)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("search_path", "hr", "setting_denied"),
        ("ROLE", "postgres", "setting_denied"),
        ("session_authorization", "postgres", "setting_denied"),
        ("row_security", "off", "setting_denied"),
        ("options", "-c search_path=hr", "setting_denied"),
        ("replication", "database", "setting_denied"),
        ("transform_null_equals", "on", "setting_denied"),
        ("local_preload_libraries", "x", "setting_denied"),
        ("my.setting", "x", "setting_denied"),
        ("search_path", None, "setting_denied"),
        ("client_encoding", "SJIS", "setting_value_denied"),
        ("client_encoding", "UTF16", "setting_value_denied"),
        ("standard_conforming_strings", "off", "setting_value_denied"),
        ("application_name", "x" * 1001, "setting_value_denied"),
    ],
)
def test_refused(name: str, value: str | None, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        check(name, value)
    assert caught.value.code == code


def test_showing() -> None:
    check_show("Server_Version")
    with pytest.raises(Refusal):
        check_show("hba_file")


def test_what_changes_the_meaning_of_constants() -> None:
    assert changes_meaning("DateStyle")
    assert changes_meaning("timezone")
    assert not changes_meaning("application_name")
