"""The page that documents every setting, written from the places that read them. Pure: no Django.

`script/docs` writes it; a test compares. A setting that is read and not described here, or described and not read, fails it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

READERS: Final = frozenset({"text", "flag", "number", "words", "secret"})
READ_BY: Final = ("console/settings.py", "console/management/commands/prepare_database.py", "cli/witness.py")
"""The files that read the environment; no other may."""
ROOT: Final = Path(__file__).parents[2]

SAYS: Final[Mapping[str, str]] = {
    "SECRET_KEY": "Django's signing key",
    "DATABASE_URL": "the application's login to PostgreSQL, as a `postgresql://` URL",
    "DATABASE_GATEWAY_URL": "the gateway's own login",
    "DATABASE_SEQUENCER_URL": "the sequencer's own login",
    "DATABASE_OWNER_URL": "the owner's login, which `manage.py prepare_database` alone uses",
    "DATABASE_CONNECTIONS": "connections to the database that the threads of a process share, at most",
    "KEY_PASSPHRASE": "opens the private keys in the state folder",
    "LEDGER_KEY": "the key that signs the ledger, if it is in an HSM: a PKCS#11 URI, `pkcs11:token=…;object=…?module-path=…`; else it is a file in the state folder",
    "LEDGER_KEY_PIN": "the PIN of the HSM's user",
    "AGENTS_CA_KEY": "the key that signs agents' certificates, if it is in an HSM: a PKCS#11 URI as of `LEDGER_KEY`; else it is a file in the state folder",
    "AGENTS_CA_KEY_PIN": "the PIN of that HSM's user",
    "POLICY_KEY": "the key that signs versions of the policies, if it is in an HSM: a PKCS#11 URI as of `LEDGER_KEY`; else it is a file in the state folder",
    "POLICY_KEY_PIN": "the PIN of that HSM's user",
    "POLICY_KEYS": "further keys whose versions are accepted, separated by commas: of before, or on a gateway that has no key itself, the console's",
    "TOKEN_KEY": "where the key that signs access tokens is made, at first use and by `manage.py rotate_token_key`, if in an HSM: a PKCS#11 URI as of `LEDGER_KEY`; else in the state folder",
    "TOKEN_KEY_PIN": "the PIN of that HSM's user",
    "VAULT_KEY": "where the key over resources' logins is made, at first use and by `manage.py rotate_vault_key`, if in an HSM: a PKCS#11 URI as of `LEDGER_KEY`; else in the state folder",
    "VAULT_KEY_PIN": "the PIN of that HSM's user",
    "POLICY_REPOSITORY": "the Git repository that versions of the policies are fetched from: `https://git.example/policies.git#folder`, or `ssh://`, `file://`. An authority of your own, that the machine does not know, is the file that `SSL_CERT_FILE` names",
    "POLICY_REPOSITORY_TOKEN": "what opens that repository over HTTPS",
    "POLICY_REPOSITORY_KEY": "the private key, without a passphrase, that opens that repository over SSH",
    "POLICY_REPOSITORY_HOST_KEY": "the key of that repository's host over SSH, as `ssh-keyscan` prints it, once compared with what its owner publishes; a host that shows another is not read",
    "LEDGER_WITNESSES": "a file that names the witnesses of the ledger, and how many of which make a checkpoint final (C2SP tlog-policy)",
    "LEDGER_FOLDER": "a folder that checkpoints are written into",
    "LEDGER_STORE": "an S3-compatible store with object lock that checkpoints are put into: `s3://BUCKET/PREFIX`",
    "LEDGER_STORE_ENDPOINT": "that store's address, where it is not Amazon's",
    "LEDGER_STORE_DAYS": "days that a checkpoint is locked there",
    "LEDGER_TSA": "the address of a time-stamp authority (RFC 3161) that checkpoints are stamped by",
    "LEDGER_TSA_ROOTS": "a PEM file of the certificates that its stamps have to lead to",
    "WITNESS_PASSPHRASE": "opens a witness's key; `narrowgate witness` alone reads it",
    "NARROWGATE_STATE": "the state folder: keys, the embedded clusters, collected static files, reports",
    "NODE_NAME": "this process's name in the ledger; unique among running processes",
    "CONSOLE_URL": "where browsers reach the console; `https://` turns on secure cookies, redirects and HSTS",
    "GATEWAY_URL": "where agents reach the gateway's HTTP door; the audience of their assertions begins with it",
    "ALLOWED_HOSTS": "host names that the console answers to, separated by commas",
    "BEHIND_TLS_PROXY": "trust `X-Forwarded-Proto` from the balancer in front",
    "TRUST_DOMAIN": "the SPIFFE trust domain of agents",
    "REDIS_URL": "channel layer and cache; without it both are in memory, which suits one process only",
    "CELERY_BROKER_URL": "the task queue's broker",
    "EMAIL_BACKEND": "Django's mail backend: `django.core.mail.backends.smtp.EmailBackend` sends; `script/server` writes files instead",
    "EMAIL_FROM": "the sender of invitations and notifications",
    "EMAIL_HOST": "the mail server",
    "EMAIL_PORT": "its port",
    "EMAIL_HOST_USER": "the login there",
    "EMAIL_HOST_PASSWORD": "its password",
    "EMAIL_USE_TLS": "turn to TLS with STARTTLS before anything is said",
    "EMAIL_FILE_PATH": "where the file backend writes mails",
    "REPORT_DAYS": "days that reports' files are kept; their figures and hashes stay",
    "AGENT_UNUSED_DAYS": "days without a new credential after which an agent is suspended by itself; its owner is told 14 days before",
    "AGENT_OWNERLESS_DAYS": "days after which an agent is suspended whose owner's account is closed, unless somebody else is named",
    "CONTAIN_AUTOMATICALLY": "suspend an agent whose risk reaches 80 without waiting for a person, at most a tenth of the fleet in 24 hours",
}
DEFAULTS: Final[Mapping[str, str]] = {
    "NARROWGATE_STATE": "`.narrowgate`",
    "EMAIL_BACKEND": "none is sent",
    "EMAIL_FILE_PATH": "`mail` in the state folder",
}
"""Defaults that are computed, or better said than shown."""

HEAD: Final = """# Settings

Everything that differs between machines comes from the environment, read once at start. A setting that is missing or malformed stops the start with one
sentence. A secret may also be given as `NAME_FILE`, the path of a file that holds it.

`script/server` sets all of them for itself; production sets those marked *required*.

| setting | what it is | default |
|---|---|---|
"""


@dataclass(frozen=True)
class Setting:
    """One setting, as the code reads it."""

    name: str
    reader: str
    default: str


def page() -> str:
    """The page, as Markdown, in the order of `SAYS`. Raises KeyError for a setting that is not read."""
    found = {one.name: one for one in settings_read()}
    return HEAD + "".join(_row(found[name], says) for name, says in SAYS.items())


def settings_read() -> Iterator[Setting]:
    """Every setting that the code reads."""
    for path in READ_BY:
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in READERS and node.args:
                yield _setting(node, node.func.id)


def _setting(call: ast.Call, reader: str) -> Setting:
    name = str(ast.literal_eval(call.args[0]))
    given = [*call.args[1:], *(keyword.value for keyword in call.keywords)]
    return Setting(name, reader, DEFAULTS.get(name) or _default(given[0] if given else None, reader))


def _default(given: ast.expr | None, reader: str) -> str:
    if reader == "flag":
        return "on" if isinstance(given, ast.Constant) and given.value is True else "off"
    if given is None:
        return "*required*"
    value = given.id if isinstance(given, ast.Name) else ast.literal_eval(given)
    return f"`{value}`" if value != "" else "empty"


def _row(setting: Setting, says: str) -> str:
    return f"| `{setting.name}` | {says}{'; secret' if setting.reader == 'secret' else ''} | {setting.default} |\n"
