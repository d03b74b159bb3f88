"""Console and gateway in one process, as `script/server` runs them, for bench/approvals.py; asks for holds as standard input says.

A line of input is a list of groups: for each, one of its segment's agents asks. A line of output is one hold: its identifier, its group,
and when its transaction had committed (seconds since the epoch).
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import django
import uvicorn
import uvloop

django.setup()

from console.logs import configure  # noqa: E402 -- models can be imported only once Django is set up

configure(level=logging.WARNING)  # standard output is for the holds

from accounts.quorum import Requirement  # noqa: E402
from activity.digest import digest  # noqa: E402
from agents.models import Agent, Resource  # noqa: E402
from approvals import actions  # noqa: E402
from approvals.asking import HoldRequest  # noqa: E402
from bench.approvals_world import AGENTS  # noqa: E402
from console.serve import TURN  # noqa: E402
from core.ids import new_id  # noqa: E402
from core.live import set_loop  # noqa: E402
from policies.decision import Code, Decision, Reason, Verdict  # noqa: E402


def ask(group: int, number: int) -> str:
    """Let an agent of that group's segment ask for something; gives the hold, once it is committed."""
    agent = Agent.objects.get(name=f"a{number % AGENTS}.s{group:03}")
    resource = Resource.objects.get(name=f"db{group:03}")
    text, salt = f"DELETE FROM orders WHERE id = {number}", bytes(32)
    decision = Decision(
        verdict=Verdict.HOLD, code=Code.HELD, why="Writes need people.", reasons=(Reason("people", "Writes need people.", "forbid"),),
        requirement=Requirement({f"g{group:03}": 1}), ttl=timedelta(minutes=15),
    )  # fmt: skip
    request = HoldRequest(
        action_id=new_id(), session_id=new_id(), agent_id=agent.id, resource_id=resource.id, canonical=text.encode(), salt=salt,
        digest=digest(text.encode(), salt), decision=decision, verb="sql:delete", summary="Deletes rows from orders", shown=text,
    )  # fmt: skip
    return str(actions.ask(request).id)


def asking() -> None:
    """Ask as standard input says, until it ends."""
    asked: Counter[int] = Counter()
    for line in sys.stdin:
        for group in json.loads(line):
            asked[group] += 1
            hold = ask(group, asked[group])
            print(json.dumps({"hold": hold, "group": group, "at": time.time()}), flush=True)


async def main(console: int, gate: int) -> None:
    """Serve until standard input ends."""
    from console.asgi import application

    set_loop(asyncio.get_running_loop())
    started = await _gateway(gate)
    options: dict[str, Any] = {"log_config": None, "lifespan": "off", "access_log": False, "http": "h11"}
    server = uvicorn.Server(uvicorn.Config(application, port=console, **options))
    serving = asyncio.create_task(server.serve())
    asked = threading.Thread(target=asking, daemon=True)
    asked.start()
    await asyncio.to_thread(asked.join)
    server.should_exit = True
    await serving
    await started.stop()


async def _gateway(port: int) -> Any:  # noqa: ANN401 -- gateway.service.Service, which is loaded late
    from django.conf import settings

    from agents import ca
    from gateway import service

    identity = ca.server_identity(settings.STATE_DIR / "keys", settings.KEY_PASSPHRASE)
    return await service.start(
        service.Config(
            settings.DATABASE_GATEWAY_URL, settings.CONSOLE_URL, identity.certificate, identity.key, identity.passphrase,
            postgres_port=port,
        )
    )  # fmt: skip


if __name__ == "__main__":
    sys.setswitchinterval(TURN)
    uvloop.run(main(*map(int, sys.argv[1:])))
