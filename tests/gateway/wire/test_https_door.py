"""The HTTPS door as it is served: real curl with a certificate, tokens bound to it and to keys, and what each refusal says."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from cryptography import x509
from django.conf import settings
from joserfc import jwt

from agents import actions as inventory
from agents import certificates, keys
from agents.certificates import CertificateRequest
from agents.models import Credential
from agents.svid_authority import svid_authority
from gateway.door import AT_ONCE
from ledger.events import Event
from ledger.models import Outbox
from tests.gateway.wire.doors import served
from tests.gateway.wire.test_certificates import Holder
from tests.gateway.wire.world import World, eventually, proven


@pytest.fixture(scope="module")
def door(standing_world: World) -> Iterator[str]:
    """The door's address."""
    with served(standing_world) as address:
        yield address


@pytest.fixture
def world(standing_world: World, door: str) -> World:
    return standing_world


@pytest.fixture
def holder(world: World, tmp_path: Path) -> Holder:
    """The world's agent with a certificate of its own."""
    made = Holder(tmp_path)
    issued = certificates.certify(CertificateRequest(**proven(world.agent, world.key), csr=made.csr))
    return made.take(issued.chain)


def curl(
    world: World, door: str, path: str, *arguments: str, holder: Holder | None = None
) -> tuple[int, dict[str, Any]]:
    """The status, and what curl was told; status 0 where TLS ended it, with curl's words."""
    files = holder.files() if holder else {}
    with_certificate = ["--cert", files["sslcert"], "--key", files["sslkey"]] if files else []
    command = [
        "curl",
        "-sS",
        "--cacert",
        str(world.ca),
        *with_certificate,
        "-w",
        "\n%{http_code}",
        *arguments,
        door + path,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body) if body else {"curl": done.stderr}


def form(**fields: str) -> list[str]:
    return [part for name, value in fields.items() for part in ("--data-urlencode", f"{name}={value}")]


def token_form(world: World, **changed: str) -> list[str]:
    fields = {"grant_type": "client_credentials", "resource": "shop", "client_id": world.agent.name} | changed
    return form(**fields)


def test_curl_gets_a_token_with_its_certificate_alone(world: World, door: str, holder: Holder) -> None:
    status, said = curl(world, door, "/oauth/token", *token_form(world), holder=holder)
    assert (status, said["token_type"]) == (200, "Bearer")
    assert Credential.objects.latest("issued_at").kind == Credential.Kind.MTLS
    status, asked = curl(
        world, door, f"/v1/actions/{uuid.uuid4()}", "-H", f"Authorization: Bearer {said['access_token']}", holder=holder
    )
    assert (status, asked["code"]) == (404, "not_found")


def test_a_token_bound_to_a_certificate_is_nothing_without_it(
    world: World, door: str, holder: Holder, tmp_path: Path
) -> None:
    _, said = curl(world, door, "/oauth/token", *token_form(world), holder=holder)
    ask = (f"/v1/actions/{uuid.uuid4()}", "-H", f"Authorization: Bearer {said['access_token']}")
    status, refused = curl(world, door, *ask)
    assert (status, refused["code"]) == (401, "token_bound")
    (tmp_path / "other").mkdir()
    other = Holder(tmp_path / "other")
    other.take(certificates.certify(CertificateRequest(**proven(world.agent, world.key), csr=other.csr)).chain)
    assert curl(world, door, *ask, holder=other)[1]["code"] == "token_bound"
    with pytest.raises(psycopg.OperationalError, match="bound to a client certificate"):
        world.connect(password=said["access_token"])


def test_a_certificate_that_was_revoked_opens_nothing(world: World, door: str, holder: Holder) -> None:
    _, said = curl(world, door, "/oauth/token", *token_form(world), holder=holder)
    shown = x509.load_pem_x509_certificate(Path(holder.files()["sslcert"]).read_bytes())
    inventory.revoke_credential(uuid.UUID(int=shown.serial_number), actor=world.cast.engineer, reason="Lost.")
    assert curl(world, door, "/oauth/token", *token_form(world), holder=holder)[1]["error"] == "invalid_client"
    ask = (f"/v1/actions/{uuid.uuid4()}", "-H", f"Authorization: Bearer {said['access_token']}")
    assert curl(world, door, *ask, holder=holder)[0] == 401


@pytest.mark.parametrize("client_id", ["", "root.production"])
def test_with_a_certificate_the_client_says_who_it_is(world: World, door: str, holder: Holder, client_id: str) -> None:
    status, said = curl(world, door, "/oauth/token", *token_form(world, client_id=client_id), holder=holder)
    assert (status, said["error"]) == (401, "invalid_client")


def test_a_header_is_no_certificate(world: World, door: str, holder: Holder) -> None:
    pretended = Path(holder.files()["sslcert"]).read_text(encoding="utf-8").replace("\n", " ")
    for name in ("X-Client-Cert", "narrowgate.certificate", "X-SSL-Client-Cert", "Client-Cert"):
        status, said = curl(world, door, "/oauth/token", *token_form(world), "-H", f"{name}: {pretended}")
        assert (status, said["error"]) == (401, "invalid_client")


def test_another_authoritys_certificate_ends_with_its_alert_and_an_entry(
    world: World, door: str, tmp_path: Path
) -> None:
    before = Outbox.objects.filter(event=Event.SESSION_REFUSED).count()
    forged = Holder(tmp_path).forged(svid_authority(tmp_path / "other", "p", settings.TRUST_DOMAIN), world)
    status, said = curl(world, door, "/oauth/token", *token_form(world), holder=forged)
    assert (status, "unknown ca" in said["curl"]) == (0, True)
    eventually(lambda: Outbox.objects.filter(event=Event.SESSION_REFUSED).count() > before)
    entry = Outbox.objects.filter(event=Event.SESSION_REFUSED).latest("id")
    assert json.loads(bytes(entry.leaf))["details"]["code"] == "bad_certificate"


def test_without_a_certificate_the_door_is_what_it_was(world: World, door: str) -> None:
    status, said = curl(world, door, "/oauth/token", *form(**proven(world.agent, world.key)), *token_form(world))
    assert status == 200
    connected = world.connect(password=said["access_token"])
    assert connected.execute("SELECT 1").fetchone() == (1,)
    connected.close()


# ---- DPoP ----
class Prover:
    """A client that proves possession with each request, with the nonce that it was given last."""

    def __init__(self, world: World, door: str) -> None:
        self._door, self._key, self._nonce = door, keys.generate("Ed25519"), ""
        self.client = httpx.Client(verify=_trusting(world))

    def proof(self, method: str, path: str, token: str = "", **changed: Any) -> str:
        public = {name: value for name, value in keys.public_jwk(self._key).items() if name in {"kty", "crv", "x"}}
        claims: dict[str, Any] = {
            "htm": method,
            "htu": self._door + path,
            "iat": int(time.time()),
            "jti": uuid.uuid4().hex,
        }
        claims |= {"nonce": self._nonce} if self._nonce else {}
        claims |= {"ath": _hash(token)} if token else {}
        head = {"typ": "dpop+jwt", "alg": "Ed25519", "jwk": public}
        return jwt.encode(head, claims | changed, self._key, algorithms=["Ed25519"])

    def send(self, method: str, path: str, proof: str, token: str = "", **options: Any) -> httpx.Response:
        headers = {"DPoP": proof} | ({"Authorization": f"DPoP {token}"} if token else {})
        response = self.client.request(method, self._door + path, headers=headers, **options)
        self._nonce = response.headers.get("DPoP-Nonce", self._nonce)
        return response

    def token(self, world: World, **changed: str) -> str:
        """A token bound to this client's key; the first answer gives the nonce."""
        for _ in range(2):
            data = proven(world.agent, world.key) | {"grant_type": "client_credentials", "resource": "shop"} | changed
            response = self.send("POST", "/oauth/token", self.proof("POST", "/oauth/token"), data=data)
        assert response.json()["token_type"] == "DPoP"
        return str(response.json()["access_token"])


@pytest.fixture
def prover(world: World, door: str) -> Iterator[Prover]:
    prover = Prover(world, door)
    with prover.client:
        yield prover


def test_the_first_proof_is_answered_with_a_nonce(world: World, prover: Prover) -> None:
    data = proven(world.agent, world.key) | {"grant_type": "client_credentials", "resource": "shop"}
    response = prover.send("POST", "/oauth/token", prover.proof("POST", "/oauth/token"), data=data)
    assert (response.status_code, response.json()["error"]) == (400, "use_dpop_nonce")
    assert response.headers["DPoP-Nonce"]


def test_a_token_bound_to_a_key_opens_with_proof_and_only_then(world: World, prover: Prover, door: str) -> None:
    token, path = prover.token(world), f"/v1/actions/{uuid.uuid4()}"
    assert Credential.objects.latest("issued_at").kind == Credential.Kind.DPOP
    assert prover.send("GET", path, prover.proof("GET", path, token), token).status_code == 404
    plain = httpx.get(door + path, headers={"Authorization": f"Bearer {token}"}, verify=_trusting(world))
    assert (plain.status_code, plain.json()["code"]) == (401, "token_bound")
    stolen = Prover(world, door)
    stolen._nonce = prover._nonce
    with stolen.client:
        refused = stolen.send("GET", path, stolen.proof("GET", path, token), token)
    assert (refused.status_code, refused.json()["code"]) == (401, "token_bound")
    with pytest.raises(psycopg.OperationalError, match="bound to a key"):
        world.connect(password=token)


def test_a_proof_counts_once_for_one_request_and_one_token(world: World, prover: Prover) -> None:
    token, path = prover.token(world), f"/v1/actions/{uuid.uuid4()}"
    proof = prover.proof("GET", path, token)
    assert prover.send("GET", path, proof, token).status_code == 404
    again = prover.send("GET", path, proof, token)
    assert (again.status_code, again.json()["code"]) == (401, "invalid_dpop_proof")
    assert again.headers["WWW-Authenticate"].startswith('DPoP error="invalid_dpop_proof", algs=')
    assert prover.send("GET", path, prover.proof("POST", path, token), token).status_code == 401
    assert prover.send("GET", path, prover.proof("GET", path), token).status_code == 401


def test_a_token_for_a_network_is_refused_elsewhere(world: World) -> None:
    token = world.token(networks="192.0.2.0/24")
    with pytest.raises(psycopg.OperationalError, match="may not be used from this address"):
        world.connect(password=token)
    world.connect(password=world.token(networks="127.0.0.0/8 ::1/128")).close()


def _hash(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


def _trusting(world: World) -> Any:
    import ssl

    return ssl.create_default_context(cafile=str(world.ca))


# ---- a library that knows nothing of us ----
def authlib(world: World, **changed: Any) -> Any:
    from authlib.integrations.httpx_client import OAuth2Client
    from authlib.oauth2.rfc7523 import PrivateKeyJWT
    from joserfc.jwk import ECKey

    endpoint = f"{settings.GATEWAY_URL}/oauth/token"
    kid = changed.pop("kid", keys.kid_of(world.key))
    client = OAuth2Client(
        world.agent.name, ECKey.import_key(changed.pop("key", world.key).as_dict(private=True)),
        token_endpoint_auth_method="private_key_jwt", verify=_trusting(world),
    )  # fmt: skip
    claims = {"exp": int(time.time()) + 60} | changed.pop("claims", {})  # an hour is its own, and too long here
    client.register_client_auth_method(PrivateKeyJWT(endpoint, claims, headers={"kid": kid}, alg="ES256", **changed))
    return client


def test_authlibs_client_gets_a_token(world: World) -> None:
    with authlib(world) as client:
        said = client.fetch_token(
            f"{settings.GATEWAY_URL}/oauth/token", grant_type="client_credentials", resource="shop"
        )
    world.connect(password=said["access_token"]).close()


@pytest.mark.parametrize(
    "changed",
    [
        {"key": keys.generate("ES256")},  # stolen: another key than the one that is registered
        {"kid": "swapped"},
        {"claims": {"exp": int(time.time()) - 120}},
        {"claims": {"nbf": int(time.time()) + 3600}},
        {"claims": {"aud": "https://other.example/oauth/token"}},
        {"claims": {"iss": "root.production"}},
    ],
    ids=["wrong key", "swapped kid", "expired", "not yet valid", "wrong audience", "wrong issuer"],
)
def test_authlibs_client_with_a_bad_assertion_is_refused_and_recorded(world: World, changed: dict[str, Any]) -> None:
    from authlib.integrations.base_client import OAuthError as Told

    before = Outbox.objects.filter(event=Event.CREDENTIAL_REFUSED).count()
    with authlib(world, **changed) as client, pytest.raises(Told) as told:
        client.fetch_token(f"{settings.GATEWAY_URL}/oauth/token", grant_type="client_credentials", resource="shop")
    assert told.value.error == "invalid_client"
    assert Outbox.objects.filter(event=Event.CREDENTIAL_REFUSED).count() == before + 1


def test_what_proves_nothing_cannot_fill_the_ledger(world: World, door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activity.actions.REFUSALS_A_MINUTE", 2)
    before = Outbox.objects.filter(event=Event.SESSION_REFUSED).count()
    for _ in range(5):
        with pytest.raises(psycopg.OperationalError):
            world.connect(password="nonsense")
    assert (
        2 <= Outbox.objects.filter(event=Event.SESSION_REFUSED).count() - before <= 4
    )  # two a minute, and a minute may turn


def test_clients_that_send_slowly_keep_nobody_waiting(world: World, door: str) -> None:
    trusted = ssl.create_default_context(cafile=str(world.ca))
    port = int(door.rpartition(":")[2])
    begun = "POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\ngrant_type="
    with ExitStack() as stack:
        for _ in range(3 * AT_ONCE):
            plain = stack.enter_context(socket.create_connection(("localhost", port), timeout=10))
            slow = stack.enter_context(trusted.wrap_socket(plain, server_hostname="localhost"))
            slow.sendall(begun.encode())
        assert curl(world, door, "/.well-known/jwks.json", "--max-time", "5")[0] == 200
        slow.settimeout(30)
        assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_more_connections_than_a_gateway_has_room_for_are_cut_off(
    world: World, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked() -> int:
        return curl(world, door, "/.well-known/jwks.json", "--max-time", "10")[0]

    port = int(door.rpartition(":")[2])
    trusted = ssl.create_default_context(cafile=str(world.ca))
    with (
        socket.create_connection(("localhost", port), timeout=10) as plain,
        trusted.wrap_socket(plain, server_hostname="localhost") as kept,
    ):
        kept.sendall(b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert kept.recv(100).startswith(b"HTTP/1.1 200")
        monkeypatch.setattr("gateway.https.MOST_OPEN", 1)
        assert asked() == 0
    assert eventually(lambda: asked() == 200)


def test_a_body_that_is_too_long_is_refused_before_it_is_read(world: World, door: str, tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"a" * 200_000)
    status, said = curl(world, door, "/oauth/token", "--data-binary", f"@{tmp_path / 'long'}", "-H", "Expect:")
    assert (status, said["error"]) == (413, "invalid_request")
