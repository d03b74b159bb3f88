"""Each role's story on a console that began with nothing, by keyboard alone, on a laptop in the light and a phone in the dark.

They follow one another: what the engineer brings, the CISO, the auditor and the owner then find.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from joserfc.jwk import ECKey
from playwright.sync_api import Browser, Page, expect

from tests.bring import conftest as bring
from tests.bring.conftest import LOGIN, PASSWORD, Clinic
from tests.browser.agents import Psql, psql
from tests.browser.keyboard import fill, follow, press, reach
from tests.browser.people import PHONE, Desk, sideways, violations
from tests.serving import RunningServer, start, temporary_state

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.xdist_group("browser")]
AGENT, RESOURCE, SEGMENT = "triage.production", "clinic-records", "clinic"
OURS = "a long enough password"
PEOPLE = {
    "erik": ("Erik Nowak", "Platform engineer"),
    "claire": ("Claire Dubois", "CISO"),
    "arthur": ("Arthur Quist", "Auditor"),
    "olga": ("Olga Petrova", "Owner"),
}
POLICY = """@id("triage-reads") @why("Triage looks patients up.")
permit (principal in Function::"triage", action in Action::"sql:read", resource == Resource::"clinic-records");

@id("triage-moves-patients") @why("Triage moves patients between wards.")
permit (principal in Function::"triage", action == Action::"sql:update", resource == Resource::"clinic-records");

@id("moves-need-a-doctor") @hold("doctors:1") @ttl("15m") @why("A doctor looks before a patient is moved.")
forbid (principal, action in Action::"sql:write", resource in Segment::"clinic") unless { context has approval };"""
clinic = bring.clinic  # the fixture


@dataclass
class Console:
    """A console that began empty, the people in front of it, and the folder with the agent's key."""

    server: RunningServer
    desk: Desk
    folder: Path
    asking: list[Psql] = field(default_factory=list)

    @contextmanager
    def laptop(self, username: str) -> Iterator[Page]:
        """Somebody at a laptop in the light; what axe finds on the last page fails the test."""
        with self.desk.signed_in(username, color_scheme="light") as page:
            yield page
            assert violations(page) == [], page.url

    @contextmanager
    def phone(self, username: str) -> Iterator[Page]:
        """Somebody with a phone in the dark; so does a page on which a thumb must scroll two ways."""
        with self.desk.signed_in(username, PHONE, color_scheme="dark") as page:
            yield page
            assert (violations(page), sideways(page)) == ([], 0), page.url

    def asks(self, statement: str, purpose: str = "A test") -> Psql:
        """The agent asks for a statement."""
        key = str(self.folder / f"{AGENT}.jwk")
        self.asking.append(psql(self.server, AGENT, statement, purpose=purpose, resource=RESOURCE, key=key))
        return self.asking[-1]


@pytest.fixture(scope="module")
def empty() -> Iterator[RunningServer]:
    """A server without the demo."""
    with temporary_state() as state:
        running = start(state, "--empty")
        yield running
        assert running.stop() == 0


@pytest.fixture(scope="module")
def console(browser: Browser, empty: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Console:
    """The empty console, and everybody who will sit in front of it."""
    people = [{"username": name, "password": OURS} for name in ("admin", *PEOPLE)]
    return Console(empty, Desk(browser, {**empty.demo, "people": people}), tmp_path_factory.mktemp("agent"))


@pytest.fixture(autouse=True)
def sound(console: Console) -> Iterator[None]:
    """Whatever an agent still asks is ended; a script error or a breach of the content security policy on any page fails the test."""
    yield
    while console.asking:
        console.asking.pop().leave()
    assert console.desk.complaints == []


@pytest.fixture(scope="module")
def invited(console: Console) -> Console:
    """The administrator has invited everybody, and they have set their passwords."""
    set_password(console.desk, console.server.demo["invitation"])
    with console.laptop("admin") as page:
        make_a_group(page)
        links = [invite(page, username) for username in PEOPLE]
    for link in links:
        set_password(console.desk, link)
    return console


@pytest.fixture(scope="module")
def brought(invited: Console, clinic: Clinic) -> Console:
    """The engineer has followed the first steps to their end: half of them at a laptop, half on a phone."""
    with invited.laptop("erik") as page:
        expect(page.get_by_role("heading", name="First steps")).to_be_visible()
        make_a_segment(page)
        back_to_the_steps(invited, page, "Make a segment")
        put_a_database_behind_the_gate(page, clinic)
        back_to_the_steps(invited, page, "Put a database behind the gate")
    with invited.phone("erik") as page:
        enrol_an_agent(page, invited.folder)
        back_to_the_steps(invited, page, "Enrol an agent")
        say_what_it_may_do(page)
        back_to_the_steps(invited, page, "Say what it may do")
    return invited


def set_password(desk: Desk, link: str) -> None:
    """Use an invitation."""
    with desk.context() as context:
        page = context.new_page()
        page.goto(link)
        fill(page, password=OURS, again=OURS)
        follow(page, "Set the password", role="button")


def make_a_group(page: Page) -> None:
    """Of those who will look before something is changed."""
    follow(page, "People")
    follow(page, "Groups")
    fill(page, name="doctors")
    follow(page, "Make it", role="button")
    expect(page.get_by_text("There is a group doctors.")).to_be_visible()


def invite(page: Page, username: str) -> str:
    """As the administrator; gives the link that is shown once."""
    name, role = PEOPLE[username]
    follow(page, "People")
    follow(page, "Invite a person")
    fill(page, name=name, username=username, email=f"{username}@example.com")
    reach(page, page.get_by_label(role, exact=True))
    page.keyboard.press("Space")
    follow(page, "Invite", role="button")
    return page.locator("#invitation-link").inner_text()


def back_to_the_steps(console: Console, page: Page, done: str) -> None:
    page.goto(console.desk.address("/start/"))
    expect(page.get_by_role("heading", name=re.compile(f"{done}.*done"))).to_be_visible()


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
    follow(page, "Store another")
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
    fill(page, name="Triage-Prod", purpose="Sorts patients by urgency", segment=SEGMENT, owner="olga")
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
    expect(page.get_by_text("Version 1 is in force.")).to_be_visible()


def test_an_engineer_goes_from_nothing_to_the_first_decided_action(brought: Console) -> None:
    with brought.laptop("erik") as page:
        page.goto(brought.desk.address("/start/"))
        program, *arguments = shlex.split(page.locator("code.command").last.inner_text())
        assert program == "narrowgate"
        answer = brought.server.narrowgate(*arguments, cwd=brought.folder)
        assert answer.returncode == 0, (arguments, answer.stderr)
        follow(page, "Record")
        follow(page, "Actions")
        row = page.get_by_role("region", name="Actions").locator("tbody tr").first
        expect(row).to_contain_text("Allowed")
        expect(row).to_contain_text("SELECT 1")


def test_an_owner_sees_what_waits_and_withdraws_it_and_the_agent_is_told(brought: Console) -> None:
    asked = brought.asks("UPDATE patients SET ward = 'W9' WHERE id = 7", "Ward 3 is full")
    path = "/queue/" + asked.held().partition("/queue/")[2]
    with brought.phone("olga") as phone:
        phone.goto(brought.desk.address("/queue/"))
        reach(phone, phone.locator(f"a.hold-row[href$='{path}']"))
        phone.keyboard.press("Enter")
        expect(phone).to_have_url(re.compile(path))
        details = phone.get_by_role("region", name="Details of the hold")
        expect(details).to_contain_text("A doctor looks before a patient is moved.")
        expect(details).to_contain_text("“Ward 3 is full”")
        expect(phone.get_by_text("You cannot review this one.")).to_be_visible()
        expect(phone.get_by_text("You own this agent.")).to_be_visible()
        reach(phone, phone.locator("summary", has_text="Withdraw…"))
        phone.keyboard.press("Enter")
        expect(phone.get_by_label("The agent and its reviewers will read this")).to_be_focused()
        assert (violations(phone), sideways(phone)) == ([], 0)
        phone.keyboard.type("A bed was found")
        phone.keyboard.press("Tab")
        phone.keyboard.press("Enter")
        expect(phone.get_by_text("Settled.", exact=True)).to_be_visible()
    status, said = asked.wait()
    assert status != 0
    assert "A bed was found" in said
    with brought.laptop("olga") as page:
        page.goto(brought.desk.address("/queue/"))
        reach(page, page.locator(f"a.hold-row[href$='{path}']"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("region", name="Details of the hold")).to_contain_text(
            "Withdrawn by Olga Petrova: “A bed was found”"
        )


def test_a_ciso_goes_from_the_posture_to_the_row(brought: Console) -> None:
    denied = brought.asks("DELETE FROM visits WHERE id = 1")
    assert denied.wait()[0] != 0
    with brought.phone("claire") as phone:
        expect(phone.get_by_role("heading", level=2, name=re.compile("^Posture"))).to_be_visible()
        figure = phone.get_by_role("region", name="Key figures").get_by_role("link", name=re.compile("Denied"))
        expect(figure).to_contain_text("1")
        assert (violations(phone), sideways(phone)) == ([], 0)
        press(phone, figure)
        rows = phone.get_by_role("region", name="Actions").locator("tbody tr")
        expect(rows).to_have_count(1)
        press(phone, rows.first.get_by_role("link").first)
        expect(phone).to_have_url(re.compile("/record/actions/"))
        expect(phone.get_by_role("main")).to_contain_text("DELETE FROM visits")
        expect(phone.get_by_role("main")).to_contain_text("Denied")
    with brought.laptop("claire") as page:
        press(page, page.get_by_role("link", name=re.compile("Mutual authentication")))
        expect(page.get_by_role("main")).to_contain_text("Mutual authentication")


def test_an_auditor_goes_from_a_period_to_a_verified_package(brought: Console, tmp_path: Path) -> None:
    package = tmp_path / "evidence.zip"
    with brought.phone("arthur") as phone:
        follow(phone, "Reports")
        follow(phone, "New report")
        reach(phone, phone.get_by_label("Period"))
        phone.keyboard.type("Last 24")
        expect(phone.get_by_label("Period")).to_have_value("24h")
        follow(phone, "Make it", role="button")
        expect(phone.get_by_text("Ready", exact=True).first).to_be_visible(timeout=60_000)
        expect(phone.get_by_role("main")).to_contain_text("waited for people")
        expect(phone.get_by_role("link", name="Files")).to_be_visible()
        address = phone.url
    with brought.laptop("arthur") as page:
        page.goto(address)
        reach(page, page.get_by_role("button", name="Take the Package of evidence (ZIP)"))
        with page.expect_download() as taken:
            page.keyboard.press("Enter")
        taken.value.save_as(package)
    named = r"narrowgate-oversight-\d{4}-\d\d-\d\d-\d{4}-\d\d-\d\d-\w{6}\.zip"
    assert re.fullmatch(named, taken.value.suggested_filename)
    checked = brought.server.narrowgate("verify", str(package))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "the report's 4 files" in checked.stdout
    with brought.laptop("erik") as other:
        answer = other.goto(address)
        assert answer is not None
        assert answer.status == 404
