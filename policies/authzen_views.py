"""The standard door to decisions: OpenID AuthZEN, Authorization API 1.0, for other enforcement points. Nothing runs by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar, cast

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET
from rest_framework.exceptions import APIException
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from accounts.actors import require_role
from accounts.authentication import ApiTokenAuthentication
from accounts.models import Role, User
from accounts.permissions import HasScope
from accounts.scopes import ASK
from core.db import db_now
from core.errors import Invalid, NarrowgateError
from policies import authzen
from policies.current import current
from policies.decision import Ask, Decision
from policies.evaluate import Engine
from policies.moment import time_text
from policies.snapshot import Snapshot, risks
from policies.verbs import VERBS

ASKERS = (Role.ENGINEER, Role.ADMINISTRATOR)
LONGEST_ID = 200


class BearerToken(ApiTokenAuthentication):
    """The same token, under the name that the specification's clients give it."""

    keywords = ("Bearer", "Token")


class AskRate(UserRateThrottle):
    """An enforcement point asks as often as it enforces."""

    scope = "ask"
    rate = "6000/min"


class Door(APIView):
    """What the endpoints share: who asks, one JSON object, errors as a sentence, and the request's identifier sent back."""

    authentication_classes = (BearerToken,)
    permission_classes = (IsAuthenticated, HasScope)
    throttle_classes = (AskRate,)
    write_scope = ASK
    schema = None

    def post(self, request: Request) -> Response:
        """Answer. What is denied is answered with 200 too (section 10.1)."""
        require_role(cast("User", request.user), *ASKERS)
        if not isinstance(request.data, dict):
            raise Invalid("body", "The body is a JSON object.")
        return Response(self.said(request.data, current()))

    def said(self, asked: dict[str, Any], now: Snapshot) -> dict[str, Any]:
        """The answer's body. Raises Invalid."""
        raise NotImplementedError

    def handle_exception(self, exc: Exception) -> Response:
        """Errors are a message string (section 10.1.2)."""
        if isinstance(exc, NarrowgateError):
            return Response(str(exc), status=400 if isinstance(exc, Invalid) else exc.status)
        response = super().handle_exception(exc)
        if isinstance(exc, APIException):
            response.data = str(exc.detail)
        return response

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 -- DRF's own
        """With the identifier that the request came with (section 10.1.3)."""
        final = super().finalize_response(request, response, *args, **kwargs)
        given = request.headers.get("X-Request-ID", "")[:LONGEST_ID]
        if given.isprintable() and given:
            final["X-Request-ID"] = given
        final["Cache-Control"] = "no-store"
        return final


class Deciding:
    """Decides what one request asks, at one time: what only we say (the time, an agent's risk) is said where policies look at it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._time = time_text(db_now())

    @cached_property
    def _risks(self) -> dict[str, int]:
        return risks()

    def decide(self, ask: Ask) -> Decision:
        """Answer `ask`."""
        wanted = self._engine.wanted(ask.agent, ask.verbs, ask.resource)
        ours: dict[str, object] = {"time": self._time} if "time" in wanted else {}
        if "risk" in wanted:
            ours["risk"] = self._risks.get(ask.agent, 0)
        return self._engine.decide(replace(ask, ours=ours) if ours else ask)


class Evaluation(Door):
    """One decision."""

    def said(self, asked: dict[str, Any], now: Snapshot) -> dict[str, Any]:
        """The decision, with what a reviewer would want to know of it."""
        return authzen.answer(Deciding(now.engine).decide(authzen.ask_of(asked, now.engine.world)))


class Evaluations(Door):
    """Several decisions, by one of the three semantics."""

    def said(self, asked: dict[str, Any], now: Snapshot) -> dict[str, Any]:
        """The decisions in order; what cannot be read is denied in its place."""
        many, semantic = authzen.evaluations_of(asked)
        deciding = Deciding(now.engine)
        if not many:
            return authzen.answer(deciding.decide(authzen.ask_of(asked, now.engine.world)))
        answers: list[dict[str, Any]] = []
        for one in many:
            try:
                answers.append(authzen.answer(deciding.decide(authzen.ask_of(one, now.engine.world))))
            except Invalid as error:
                answers.append(authzen.refusal(error))
            if authzen.ends(semantic, answers[-1]["decision"]):
                break
        return {"evaluations": answers}


class Search(Door):
    """Everything of one kind for which the decision is yes, page by page, by name."""

    looks_for: ClassVar[str]

    def said(self, asked: dict[str, Any], now: Snapshot) -> dict[str, Any]:
        """One page."""
        page = authzen.page_of(asked)
        if self.looks_for != "action":
            authzen.typed(asked, self.looks_for)
        results: list[dict[str, str]] = []
        names = [name for name in sorted(self.names(now)) if name > page.after]
        deciding = Deciding(now.engine)
        for name in islice(names, authzen.MOST_LOOKED_AT):
            decision = deciding.decide(self.ask(asked, now, name))
            if authzen.answer(decision)["decision"]:
                results.append(self.result(name))
                if len(results) == page.limit:
                    break
        else:
            name = names[: authzen.MOST_LOOKED_AT][-1] if len(names) > authzen.MOST_LOOKED_AT else ""
        return authzen.found(results, name if names and name != names[-1] else "")

    def names(self, now: Snapshot) -> Iterable[str]:
        """All that could be found."""
        raise NotImplementedError

    def ask(self, asked: dict[str, Any], now: Snapshot, name: str) -> Ask:
        """The question about one of them."""
        return authzen.ask_of(asked, now.engine.world, **{self.looks_for: name})

    def result(self, name: str) -> dict[str, str]:
        """How one is told."""
        return {"type": self.looks_for, "id": name}


class SubjectSearch(Search):
    """The agents that may."""

    looks_for = "subject"

    def names(self, now: Snapshot) -> Iterable[str]:
        """Active agents."""
        return now.agents

    def result(self, name: str) -> dict[str, str]:
        """An agent."""
        return {"type": authzen.SUBJECT, "id": name}


class ResourceSearch(Search):
    """The resources at which it may."""

    looks_for = "resource"

    def names(self, now: Snapshot) -> Iterable[str]:
        """Resources behind the gate."""
        return now.resources


class ActionSearch(Search):
    """The verbs that it may."""

    looks_for = "action"

    def names(self, now: Snapshot) -> Iterable[str]:
        """All verbs."""
        return VERBS

    def result(self, name: str) -> dict[str, str]:
        """A verb."""
        return {"name": name}


@require_GET
@cache_control(public=True, max_age=3600)
def configuration(request: HttpRequest) -> JsonResponse:
    """Where everything is (section 9)."""
    return JsonResponse(authzen.metadata(settings.CONSOLE_URL.rstrip("/")))
