"""The first steps on an empty console: what is there already, what comes next, and the command to type at the end."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from accounts.models import Membership, Role
from accounts.objects import anything_reviewed
from accounts.requests import person_of
from agents.models import Agent, Resource, Segment
from policies.queries import active


@dataclass(frozen=True)
class Step:
    """One thing to do: where, by which command, and how it stands (`done`, `next` or empty)."""

    title: str
    says: str
    url: str
    button: str
    command: str
    state: str = ""


@require_GET
@login_required
def first_steps(request: HttpRequest) -> HttpResponse:
    """From nothing to the first decided action."""
    person_of(request, Role.ENGINEER, Role.ADMINISTRATOR)
    return render(request, "policies/first_steps.html", {"steps": _standing(_steps()), "try_it": _try_it()})


def _steps() -> list[tuple[Step, bool]]:
    segment = Segment.objects.order_by("name").first()
    login = Resource.objects.filter(secrets__isnull=False, retired_at=None).exists()
    agent = Agent.objects.filter(status=Agent.Status.ACTIVE).exists()
    return [
        (_SEGMENT, segment is not None),
        (_PERSON, Membership.objects.filter(user__is_active=True, user__roles__contains=[Role.REVIEWER]).exists()),
        (_REVIEWERS, anything_reviewed()),
        (_RESOURCE, login),
        (_AGENT, agent),
        (_POLICY, active() is not None),
    ]


def _standing(steps: list[tuple[Step, bool]]) -> list[Step]:
    """The same with how each stands; the first that is not done is next."""
    waiting = next((number for number, (_, done) in enumerate(steps) if not done), None)
    return [
        Step(
            step.title,
            step.says,
            reverse(step.url),
            step.button,
            step.command,
            "done" if done else "next" if number == waiting else "",
        )
        for number, (step, done) in enumerate(steps)
    ]


def _try_it() -> str:
    """The command that ends the guide, with names that are there where there are any."""
    agent = Agent.objects.filter(status=Agent.Status.ACTIVE).order_by("-enrolled_at").first()
    resource = Resource.objects.filter(retired_at=None).order_by("-id").first()
    name = agent.name if agent else "AGENT"
    return f'narrowgate sql {name} {resource.name if resource else "RESOURCE"} "SELECT 1" --key {name}.jwk'


_SEGMENT = Step(
    "Make a segment",
    "A micro-perimeter: the agents and resources inside may meet, and nothing else may.",
    "resources:segments",
    "Make a segment",
    'narrowgate segment create customer-care --purpose "What talks with customers"',
)
_PERSON = Step(
    "Invite a person with a role and groups",
    "Actions that a policy holds wait for people. An administrator makes a group, and invites reviewers into it.",
    "people:all",
    "See the people",
    "narrowgate group create dba\n"
    'narrowgate person invite rita --name "Rita Roe" --email rita@example.com --role reviewer --group dba',
)
_REVIEWERS = Step(
    "Let a group review",
    "In a segment, of one resource, or of one agent: an administrator says which group decides there.",
    "people:groups",
    "See the groups",
    "narrowgate group let-review dba segment customer-care",
)
_RESOURCE = Step(
    "Put a database behind the gate",
    "Its password goes to the vault. Then test the connection, scan the columns, and confirm what must be masked.",
    "resources:add",
    "Add a resource",
    "narrowgate resource add orders --host db.example.com --database orders --segment customer-care --user gate\n"
    "narrowgate resource test orders\n"
    "narrowgate resource scan orders --confirm",
)
_AGENT = Step(
    "Enrol an agent",
    "Its key is made on its side; only the public half comes here. Somebody answers for it.",
    "agents:enrol",
    "Enrol an agent",
    'narrowgate agent enrol support.production --owner olga --purpose "Answers customers" --segment customer-care',
)
_POLICY = Step(
    "Say what it may do",
    "Nothing is allowed by absence. The first version comes into force at once; each later one is approved by another.",
    "policies:new",
    "Write a policy",
    'narrowgate policy push policies/ --first --note "What support may read"',
)
