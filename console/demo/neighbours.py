"""What is behind the gate beside the shop: an API and a tool server, put there by the actions that pages call."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import structlog

from accounts.models import User
from agents import actions, tool_actions
from agents.api_actions import describe_api
from agents.models import Resource, Segment
from console.demo import carrier
from console.demo.secrets_kept import Kept

CARRIER, TILL = "carrier", "till"
HERE = "localhost"
USUAL_PORT = 8099
PROGRAM = Path(__file__).with_name("till.py")
TILL_KEY = "TILL_KEY"
"""The variable that the till looks for."""
READ_WITHIN = 20.0
"""Seconds for a gateway to start the till and read what it offers."""
RESPONSE_TAGS = (  # resource, operation or tool, path, tag
    (CARRIER, "*", "recipient.name", "name"),
    (CARRIER, "*", "recipient.email", "email"),
    (TILL, "payment", "card_number", "card_number"),
    (TILL, "payment", "email", "email"),
)
log = structlog.get_logger()


def make(kept: Kept) -> None:
    """Register both, in the transaction that makes the demo's inventory."""
    engineer, administrator = User.objects.get(username="erik"), User.objects.get(username="ada")
    api = actions.add_resource(
        CARRIER, kind="http", segment=Segment.objects.get(name="customer-care"), owner=User.objects.get(username="omar"),
        purpose="Where parcels are, and where they go", actor=engineer, host=HERE, port=USUAL_PORT, tls="off",
    )  # fmt: skip
    describe_api(api.id, document=json.dumps(carrier.DESCRIPTION), actor=engineer)
    actions.store_secret(api.id, user="Bearer", password=kept.carrier, actor=engineer)
    tools = actions.add_resource(
        TILL, kind="mcp", segment=Segment.objects.get(name="payments"), owner=User.objects.get(username="lena"),
        purpose="Payments of orders, and refunds", actor=engineer, host=HERE, tls="off",
    )  # fmt: skip
    tool_actions.run_command(tools.id, command=[sys.executable, str(PROGRAM)], actor=administrator)
    actions.store_secret(tools.id, user=TILL_KEY, password=kept.till, actor=engineer)
    for name, operation, path, tag in RESPONSE_TAGS:
        resource = api if name == CARRIER else tools
        actions.confirm_tag(resource.id, schema="response", table=operation, column=path, tag=tag, actor=engineer)


def ensure(kept: Kept) -> None:
    """Start the carrier, and say where both are now: its port may be taken, and the state folder may have moved."""
    engineer, administrator = User.objects.get(username="erik"), User.objects.get(username="ada")
    api = Resource.objects.filter(name=CARRIER, retired_at=None).first()
    if api is not None:
        actions.change_resource(api.id, port=carrier.serve(kept.carrier, api.port), actor=engineer)
    tools = Resource.objects.filter(name=TILL, retired_at=None).select_related("tool_server").first()
    command = [sys.executable, str(PROGRAM)]
    if tools is not None and tools.tool_server.command != command:
        tool_actions.run_command(tools.id, command=command, actor=administrator)


def accept_tools() -> None:
    """As the engineer does once: look at what the till offers, and accept it."""
    engineer, tools = User.objects.get(username="erik"), Resource.objects.get(name=TILL)
    give_up = time.monotonic() + READ_WITHIN
    while not (found := {one.pk: one.digest for one in tools.definitions.filter(problem="")}):
        if time.monotonic() > give_up:
            log.warning("demo_tools_missing", problem=tools.tool_server.problem)
            return
        time.sleep(0.1)
        tools.tool_server.refresh_from_db()
    tool_actions.accept(tools.id, seen=found, actor=engineer)
