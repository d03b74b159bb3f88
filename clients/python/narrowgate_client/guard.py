"""`@guarded`: a function that runs only when the gate lets it, and whose outcome is reported."""

from __future__ import annotations

import functools
import inspect
import json
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, cast

from narrowgate_client.errors import GateError, Unavailable
from narrowgate_client.gate import Gate

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger("narrowgate")


def guarded(
    operation: str, *, gate: Gate | None = None, resource: str = "", wait: float | None = None
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a function, `async` or not, run only as the operation of that name, with its arguments, is allowed or approved.

    `gate` is that of the environment where none is given; `wait` is how many seconds people get, None for as long as they have.
    The function raises Denied, StillHeld or Unavailable instead of running.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)

        def asked(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Gate, dict[str, Any]]:
            return gate or Gate.from_environment(resource), _named(signature, args, kwargs)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 -- whatever it returns
                door, arguments = asked(args, kwargs)
                action = await door.run_async(door.asker.ask(operation, arguments, uuid.uuid4().hex, wait))
                try:
                    result = await function(*args, **kwargs)
                except BaseException as error:
                    await _tell_async(door, action, "failed", type(error).__name__)
                    raise
                await _tell_async(door, action, "done")
                return result

            return cast("Callable[P, T]", run_async)

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            door, arguments = asked(args, kwargs)
            action = door.run(door.asker.ask(operation, arguments, uuid.uuid4().hex, wait))
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                _tell(door, action, "failed", type(error).__name__)
                raise
            _tell(door, action, "done")
            return result

        return run

    return decorate


def _named(signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by name, defaults included. Raises Unavailable for what JSON cannot say: nobody could review it."""
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    named = {name: value for name, value in bound.arguments.items() if name not in {"self", "cls"}}
    try:
        said: dict[str, Any] = json.loads(json.dumps(named, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise Unavailable(f"The arguments cannot be shown to anybody: {error}.") from None
    return said


def _tell(gate: Gate, action: str, status: str, message: str = "") -> None:
    try:
        gate.run(gate.asker.report(action, status, message))
    except GateError as error:
        log.warning("action %s is %s, and that could not be reported: %s", action, status, error)


async def _tell_async(gate: Gate, action: str, status: str, message: str = "") -> None:
    try:
        await gate.run_async(gate.asker.report(action, status, message))
    except GateError as error:
        log.warning("action %s is %s, and that could not be reported: %s", action, status, error)
