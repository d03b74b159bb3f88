"""The console for bench/pages.py: as in production, and each answer says how many queries it took."""

from __future__ import annotations

import sys
from collections.abc import Callable

import uvicorn
from django.db import connection
from django.http import HttpRequest, HttpResponse

from console.settings import *  # noqa: F403 -- the console's own settings, and one middleware

MIDDLEWARE = ["bench.pages_server.Counting", *MIDDLEWARE]  # noqa: F405


class Counting:
    """Counts what is asked of the database while a request is answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, and say how many queries that took in a header."""
        number = 0

        def count(execute: Callable[..., object], *asked: object) -> object:
            nonlocal number
            number += 1
            return execute(*asked)

        with connection.execute_wrapper(count):
            answer = self._get_response(request)
        answer["X-Queries"] = str(number)
        return answer


if __name__ == "__main__":
    uvicorn.run("console.asgi:application", port=int(sys.argv[1]), log_level="error", lifespan="off", access_log=False)
