"""From nothing to the first decided action: an empty console, an administrator, a platform engineer, and no mouse."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from playwright.sync_api import Browser, Locator, Page, expect

from tests.bring import conftest as bring
from tests.bring.conftest import LOGIN, PASSWORD, Clinic
from tests.browser.people import PHONE, Desk, sideways, violations
from tests.serving import RunningServer, start, temporary_state

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]
AGENT, RESOURCE, SEGMENT = "triage.production", "clinic-records", "clinic"
OURS = "a long enough password"
POLICY = """@id("triage-reads") @why("Triage looks patients up.")
permit (principal in Function::"triage", action in Action::"sql:read", resource == Resource::"clinic-records");"""
FARTHEST = 80  # tabs
clinic = bring.clinic  # the fixture


@pytest.fixture
def empty() -> Iterator[RunningServer]:
    """A server without the demo."""
    with temporary_state() as state:
        running = start(state, "--empty")
        yield running
        assert running.stop() == 0


@pytest.fixture
def bare(browser: Browser, empty: RunningServer) -> Iterator[Desk]:
    """A desk before it; a script error or a breach of the content security policy on any page fails the test."""
    people = [{"username": name, "password": OURS} for name in ("admin", "erik")]
    sitting = Desk(browser, {**empty.demo, "people": people})
    yield sitting
    assert sitting.complaints == []


def reach(page: Page, wanted: Locator) -> None:
    """Press Tab until the wanted element has the focus."""
    for _ in range(FARTHEST):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"No key leads to {wanted}.")


def follow(page: Page, name: str | re.Pattern[str], *, role: Any = "link") -> None:
    """Reach a link or a button, and press it."""
    reach(page, page.get_by_role(role, name=name).first)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.wait_for_load_state("load")


def fill(page: Page, **fields: str) -> None:
    """Type into fields by their names in the form, in the order given; what is there already is typed over."""
    for name, value in fields.items():
        reach(page, page.locator(f"main [name={name}], form [name={name}]").first)
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(value) if "\n" in value else page.keyboard.type(value)


def set_password(desk: Desk, link: str) -> None:
    """Use an invitation."""
    with desk.context() as context:
        page = context.new_page()
        page.goto(link)
        fill(page, password=OURS, again=OURS)
        follow(page, "Set the password", role="button")


def invite_an_engineer(desk: Desk) -> str:
    """As the first administrator; gives the link that is shown once."""
    with desk.signed_in("admin") as page:
        follow(page, "People")
        follow(page, "Invite a person")
        fill(page, name="Erik Nowak", username="erik", email="erik@example.com")
        reach(page, page.get_by_label("Platform engineer"))
        page.keyboard.press("Space")
        follow(page, "Invite", role="button")
        found = re.search(r"https?://localhost:\d+/\S*invit\S+", page.locator("main").inner_text())
        assert found is not None, page.locator("main").inner_text()
        return found[0]


def back_to_the_steps(desk: Desk, page: Page, done: str) -> None:
    page.goto(desk.address("/start/"))
    expect(page.get_by_role("heading", name=re.compile(f"{done}.*done"))).to_be_visible()


def test_from_nothing_to_the_first_decided_action(
    bare: Desk, empty: RunningServer, clinic: Clinic, tmp_path: Path
) -> None:
    set_password(bare, empty.demo["invitation"])
    set_password(bare, invite_an_engineer(bare))
    with bare.signed_in("erik") as page:
        expect(page.get_by_role("heading", name="First steps")).to_be_visible()
        make_a_segment(page)
        back_to_the_steps(bare, page, "Make a segment")
        put_a_database_behind_the_gate(page, clinic)
        back_to_the_steps(bare, page, "Put a database behind the gate")
        enrol_an_agent(page, tmp_path)
        back_to_the_steps(bare, page, "Enrol an agent")
        say_what_it_may_do(page)
        back_to_the_steps(bare, page, "Say what it may do")
        assert violations(page) == []
        command = page.locator("code.command").last.inner_text()
        answer = typed(command, empty, tmp_path)
        assert answer.returncode == 0, (command, answer.stderr)
        follow(page, "Record")
        follow(page, "Actions")
        row = page.get_by_role("region", name="Actions").locator("tbody tr").first
        expect(row).to_contain_text("Allowed")
        expect(row).to_contain_text("SELECT 1")
    with bare.signed_in("erik", PHONE, color_scheme="dark") as phone:
        phone.goto(bare.address("/start/"))
        assert (violations(phone), sideways(phone)) == ([], 0)


def make_a_segment(page: Page) -> None:
    follow(page, "Make a segment")
    fill(page, name=SEGMENT, purpose="Patients and who treats them")
    follow(page, "Make it", role="button")
    expect(page.get_by_text(f"There is a segment {SEGMENT}.")).to_be_visible()


def put_a_database_behind_the_gate(page: Page, where: Clinic) -> None:
    follow(page, "Add a resource")
    fill(page, name=RESOURCE, purpose="Patients", segment=SEGMENT, host=where.host, database="clinic")
    fill(page, user=LOGIN, password="not it", tls="Off")
    follow(page, "Add it", role="button")
    expect(page.get_by_text(f"{RESOURCE} is behind the gate.")).to_be_visible()
    follow(page, "Test the connection", role="button")
    expect(page.get_by_text("does not accept the user clinic_gate with this password")).to_be_visible()
    follow(page, "Rotate")
    fill(page, password=PASSWORD)
    follow(page, "Store it", role="button")
    follow(page, "Test the connection", role="button")
    expect(page.get_by_text("The gate can sign in to clinic")).to_be_visible()
    follow(page, "Scan its columns", role="button")
    expect(page.get_by_text("20 of 20 sampled values are e-mail addresses.")).to_be_visible()
    follow(page, "Tag what is ticked", role="button")
    expect(page.get_by_text("masked from now on")).to_be_visible()


def enrol_an_agent(page: Page, folder: Path) -> None:
    key = ECKey.generate_key("P-256", private=True)
    (folder / f"{AGENT}.jwk").write_text(json.dumps(key.as_dict(private=True)), encoding="utf-8")
    public = {name: key.as_dict(private=False)[name] for name in ("kty", "crv", "x", "y")}
    follow(page, "Enrol an agent")
    fill(page, name="Triage-Prod", purpose="Sorts patients by urgency", segment=SEGMENT, owner="First")
    fill(page, key=json.dumps(public))
    follow(page, "Enrol", role="button")
    expect(page.get_by_text("Perhaps triage.production?")).to_be_visible()
    expect(page.get_by_label("Purpose")).to_have_value("Sorts patients by urgency")
    fill(page, name=AGENT)
    follow(page, "Enrol", role="button")
    expect(page.get_by_text(f"{AGENT} is enrolled.")).to_be_visible()


def say_what_it_may_do(page: Page) -> None:
    follow(page, "Write a policy")
    fill(page, text=POLICY, note="What triage may read")
    follow(page, "Put it in force", role="button")
    expect(page.get_by_role("main")).to_contain_text("in force")


def typed(command: str, server: RunningServer, folder: Path) -> subprocess.CompletedProcess[str]:
    """Type what the guide says to type, on the machine with the agent's key."""
    program, *arguments = shlex.split(command)
    assert program == "narrowgate"
    line = [str(Path(sys.executable).with_name(program)), *arguments]
    environment = {**os.environ, "NARROWGATE_STATE": str(server.state)}
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
