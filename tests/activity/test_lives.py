"""State changes of nodes, sessions and actions beside the hot path."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from activity import actions
from activity.actions import Opening
from activity.hotpath import Intent
from activity.models import Action, GatewayNode, Session
from core.ids import new_id
from ledger.models import Outbox

pytestmark = pytest.mark.django_db


def _events() -> list[str]:
    """What gateways have recorded: how the cast came to be is recorded too."""
    recorded = Outbox.objects.order_by("id").values_list("event", flat=True)
    return [event for event in recorded if event.startswith(("gateway:", "session:", "action:"))]


@pytest.fixture
def node() -> GatewayNode:
    return actions.start_node("node-1")


@pytest.fixture
def session(node: GatewayNode) -> Session:
    return actions.open_session(
        Opening(
            new_id(), new_id(), "support.production", new_id(), "shop", new_id(), node.id, "127.0.0.1", client="psql"
        )
    )


def _held(session: Session, node: GatewayNode, number: int = 1) -> Action:
    return actions.hold_action(
        Intent(
            new_id(), session.id, node.id, session.agent_id, session.resource_id, session.credential_id, number, "sql:delete",
            "DELETE FROM orders", "sha256:" + "a" * 64, bytes(32), "hold", "held", datetime.now(UTC),
        )
    )  # fmt: skip


def test_a_node_starts_and_stops_once(node: GatewayNode) -> None:
    actions.stop_node(node.id)
    actions.stop_node(node.id)
    assert _events() == ["gateway:started", "gateway:stopped"]


def test_a_session_opens_and_closes_once(session: Session) -> None:
    actions.close_session(session.id, because="The client left.")
    actions.close_session(session.id, because="Again.")
    session.refresh_from_db()
    assert session.end_reason == "The client left."
    assert _events()[1:] == ["session:opened", "session:closed"]


def test_a_held_action_is_released_or_refused_once(session: Session, node: GatewayNode) -> None:
    first, second = _held(session, node), _held(session, node, 2)
    other = new_id()
    actions.release_held(first.id, node_id=other, masked=True, entry_id=new_id())
    actions.refuse_held(first.id, code="denied", because="No.")
    actions.refuse_held(second.id, code="denied", because="No.")
    actions.release_held(second.id, node_id=other, masked=False, entry_id=new_id())
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, first.node_id, first.masked) == ("released", other, True)
    assert (second.status, second.code) == ("denied", "denied")


def test_what_a_dead_node_released_is_uncertain_and_what_it_held_stays(session: Session, node: GatewayNode) -> None:
    released, held = _held(session, node), _held(session, node, 2)
    actions.release_held(released.id, node_id=node.id, masked=False, entry_id=new_id())
    assert actions.mark_uncertain(node.id) == 1
    assert actions.mark_uncertain(node.id) == 0
    released.refresh_from_db()
    held.refresh_from_db()
    session.refresh_from_db()
    assert (released.status, held.status) == ("uncertain", "held")
    assert released.outcome_entry_id is not None
    assert session.ended_at is not None
    assert _events().count("action:uncertain") == 1


def test_another_nodes_actions_are_left_alone(session: Session, node: GatewayNode) -> None:
    action = _held(session, node)
    actions.release_held(action.id, node_id=new_id(), masked=False, entry_id=new_id())
    assert actions.mark_uncertain(node.id) == 0


def test_a_refused_sign_in_says_what_was_claimed() -> None:
    actions.refuse_session(agent="x" * 300, resource="shop", source="127.0.0.1", code="invalid_token", because="No.")
    assert _events() == ["session:refused"]
