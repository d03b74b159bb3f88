"""Effects leave after commit: a push, a mail, a task that told of something rolled back would be a lie."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec

from django.db import transaction

P = ParamSpec("P")


def after_commit(effect: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Run `effect` once the current transaction commits; an effect that fails is logged and stops no other."""
    transaction.on_commit(partial(effect, *args, **kwargs), robust=True)
