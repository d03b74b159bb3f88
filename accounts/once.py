"""What is asked several times while one page is read, and answered once: only for requests that change nothing.

Whatever acts asks the database afresh, always: there is nothing to remember outside a GET.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from accounts.models import User

T = TypeVar("T")
_answers: ContextVar[dict[tuple[str, UUID], object] | None] = ContextVar("answers", default=None)


class OncePerPage:
    """Opens, for a request that only reads, the place where answers are kept; closed before anything is streamed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request."""
        token = _answers.set({} if request.method in {"GET", "HEAD"} else None)
        try:
            return self._get_response(request)
        finally:
            _answers.reset(token)


def once_a_page(ask: Callable[[User], T]) -> Callable[[User], T]:
    """Ask about a person once while a page is read; elsewhere each time."""

    def answer(user: User) -> T:
        answers = _answers.get()
        if answers is None:
            return ask(user)
        key = (ask.__qualname__, user.id)
        if key not in answers:
            answers[key] = ask(user)
        return answers[key]  # type: ignore[return-value]  # put there by this function alone

    answer.__doc__ = ask.__doc__
    return answer
