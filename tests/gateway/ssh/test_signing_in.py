"""Who may speak: a certificate of ours or a token for this resource, and nothing else; and for how long."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest

from activity.actions import cut_session
from activity.models import Action, Session
from agents import actions as inventory
from agents.models import Credential
from agents.resource_actions import change_resource
from ledger.models import Entry, Outbox
from tests.gateway.ssh.agent import Agent
from tests.gateway.ssh.host import fingerprint_of, make_key
from tests.gateway.wire.world import eventually


def test_a_certificate_of_ours_signs_in(agent: Agent) -> None:
    key = agent.certificate()
    done = agent.ssh("echo hello", PreferredAuthentications="publickey", IdentityFile=str(key))
    assert (done.stdout, done.returncode) == (b"hello\n", 0)
    credential = Credential.objects.get(id=agent.session().credential_id)
    assert credential.kind == "svid"


def test_a_key_without_a_certificate_of_ours_does_not(agent: Agent) -> None:
    plain, forged = agent.folder / "plain", agent.folder / "forged"
    for key in (plain, forged):
        if not key.exists():
            make_key(key)
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(plain), "-I", "x", "-n", f"{agent.world.agent.name},credential:{Credential.objects.first()!s}", str(forged)],
        check=True,
    )  # fmt: skip
    for key in (plain, forged):
        done = agent.ssh("echo hello", PreferredAuthentications="publickey", IdentityFile=str(key))
        assert (done.stdout, done.returncode) == (b"", 255)
        assert b"Permission denied" in done.stderr


def test_a_revoked_certificate_is_told_so(agent: Agent) -> None:
    key = agent.certificate()
    credential = Credential.objects.filter(kind="svid").latest("issued_at")
    inventory.revoke_credential(credential.id, actor=agent.world.cast.engineer, reason="Stolen.")
    done = agent.ssh("echo hello", PreferredAuthentications="publickey", IdentityFile=str(key))
    assert (done.stdout, done.returncode) == (b"", 255)
    assert b"The credential was revoked." in done.stderr


@pytest.mark.parametrize(
    ("token", "name", "why"),
    [
        ("nonsense", "", b"The password is not an access token."),
        ("", "", b"The password is not an access token."),
        (None, "support.production", b"The login name does not say which agent, and where to."),
        (None, "other.agent+web", b"The credential belongs to support.production"),
        (None, "support.production+shop", b"The token is for another resource than shop."),
        (None, "root", b"AGENT+RESOURCE"),
    ],
)
def test_who_does_not_prove_it_is_told_why(agent: Agent, token: str | None, name: str, why: bytes) -> None:
    done = agent.ssh("echo hello", token=token, name=name)
    assert (done.stdout, done.returncode) == (b"", 255)
    assert why in done.stderr


def test_a_database_is_no_host(agent: Agent) -> None:
    done = agent.ssh("echo hello", token=agent.world.token(), name="support.production+shop")
    assert b"There is no resource shop" in done.stderr


def test_a_refusal_is_recorded(agent: Agent) -> None:
    agent.ssh("echo hello", token="nonsense")
    assert eventually(
        lambda: (
            "session:refused"
            in {*Outbox.objects.values_list("event", flat=True), *Entry.objects.values_list("event", flat=True)}
        )
    )


@pytest.mark.parametrize("how", ["revoke", "cut"])
def test_revoking_and_cutting_end_what_runs_within_a_second(agent: Agent, how: str) -> None:
    client = agent.started("echo here; sleep 300.5")
    assert client.stdout is not None
    assert client.stdout.readline() == b"here\n"
    session = agent.session()
    began = time.monotonic()
    if how == "revoke":
        inventory.revoke_credential(session.credential_id, actor=agent.world.cast.engineer, reason="Stolen.")
    else:
        cut_session(session.id, actor=agent.world.cast.ciso, reason="It sleeps too much.")
    _, told = client.communicate(timeout=20)
    assert time.monotonic() - began < 1.5  # a second, and this machine's own slowness
    assert (b"It sleeps too much." if how == "cut" else b"The credential of this session was revoked.") in told
    assert eventually(
        lambda: subprocess.run(["pgrep", "-f", "^sleep 300.5$"], capture_output=True, check=False).returncode == 1
    )
    assert eventually(lambda: Session.objects.get(id=session.id).ended_at is not None, within=10)
    assert eventually(lambda: Action.objects.get(session_id=session.id).status == "failed", within=10)


def test_a_host_with_another_key_is_not_spoken_to(agent: Agent) -> None:
    other = agent.folder / "another"
    if not other.exists():
        make_key(other)
    engineer = agent.world.cast.engineer
    change_resource(agent.resource.id, actor=engineer, host_key=fingerprint_of(other))
    try:
        done = agent.ssh("echo hello")
        assert (done.stdout, done.returncode) == (b"", 255)
        assert f"another key than the one registered: {agent.host.fingerprint}".encode() in done.stderr
        change_resource(agent.resource.id, actor=engineer, host_key="")
        assert b"is not registered" in agent.ssh("echo hello").stderr
    finally:
        change_resource(agent.resource.id, actor=engineer, host_key=agent.host.fingerprint)
    assert agent.ssh("echo hello").returncode == 0


def test_signals_reach_what_runs(agent: Agent) -> None:
    client = agent.started("echo here; sleep 300.75")
    assert client.stdout is not None
    assert client.stdout.readline() == b"here\n"
    client.send_signal(signal.SIGTERM)
    client.communicate(timeout=20)
    assert eventually(
        lambda: subprocess.run(["pgrep", "-f", "^sleep 300.75$"], capture_output=True, check=False).returncode == 1,
        within=10,
    )


def test_a_key_that_lost_its_line_ends_is_one_still(agent: Agent) -> None:
    engineer = agent.world.cast.engineer
    inventory.store_secret(
        agent.resource.id, user=agent.host.user, password=agent.host.login_key.replace("\n", ""), actor=engineer
    )
    assert agent.ssh("echo hello").stdout == b"hello\n"
    inventory.store_secret(agent.resource.id, user=agent.host.user, password=agent.host.login_key, actor=engineer)


def test_a_login_that_the_host_does_not_take_is_told(agent: Agent) -> None:
    engineer = agent.world.cast.engineer
    inventory.store_secret(agent.resource.id, user=agent.host.user, password="wrong-password", actor=engineer)
    try:
        assert b"The host does not take the vault's login." in agent.ssh("echo hello").stderr
    finally:
        inventory.store_secret(agent.resource.id, user=agent.host.user, password=agent.host.login_key, actor=engineer)
