"""A version is fetched from the deployment's repository as data: of one commit, without hooks, and within bounds."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from cli.policy_files import commit_of, repository_of
from core.errors import Invalid, NarrowgateError, Refused, Stale
from ledger import attested
from policies import actions, cases, repository
from policies import git as gits
from policies.git import Opens
from policies.models import PolicyVersion
from policies.queries import active
from policies.repository import Repository
from tests.bring.callers import Caller, browser
from tests.cast import Cast
from tests.gateway.ssh.host import Host, free_port, make_key, running_host
from tests.policies.git_server import TOKEN, serving
from tests.policies.worlds import READS, WRITES

CASES = 'cases: [{name: Nobody, agent: x, resource: y, verbs: ["sql:select"], expect: deny}]\n'
ALONE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def git(folder: Path, *arguments: str) -> str:
    """Git, as somebody who keeps policies would use it."""
    who = ["-c", "user.name=Enzo", "-c", "user.email=enzo@example.com", "-c", "init.defaultBranch=main"]
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | ALONE).stdout.strip()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A repository with two policies in a folder, and a branch with one more."""
    folder = tmp_path / "kept"
    (folder / "policies").mkdir(parents=True)
    git(folder, "init", "--quiet")
    (folder / "policies" / "b.cedar").write_text(WRITES)
    (folder / "policies" / "a.cedar").write_text(READS)
    (folder / "README.md").write_text("Nothing of it is read.")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "First")
    git(folder, "checkout", "--quiet", "-b", "next")
    (folder / "policies" / "a.test.yaml").write_text(CASES)
    (folder / "policies" / "away.cedar").symlink_to("/etc/passwd")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "Second")
    git(folder, "checkout", "--quiet", "main")
    return folder


def at(kept: Path, folder: str = "policies") -> Repository:
    return Repository.at(f"file://{kept}#{folder}")


def test_a_commit_is_read_by_file(kept: Path) -> None:
    found = at(kept).read()
    assert found.text == f"// a.cedar\n{READS}\n// b.cedar\n{WRITES}\n"
    assert (found.tests, found.commit) == ("", git(kept, "rev-parse", "main"))
    assert found.repository == f"file://{kept}#policies"


def test_a_branch_is_read_and_links_are_not_followed(kept: Path) -> None:
    found = at(kept).read("next")
    assert (found.tests, found.commit) == (f"---\n# a.test.yaml\n{CASES}", git(kept, "rev-parse", "next"))
    assert "root:" not in found.text


@pytest.mark.parametrize(
    "branch", ["-u", "--upload-pack=x", "a b", "../x", "a..b", "$(x)", "main\n", "x" * 101, "@{-1}"]
)
def test_what_is_no_branch_never_reaches_git(kept: Path, branch: str) -> None:
    with pytest.raises(Invalid, match="There is no branch"):
        at(kept).read(branch)


@pytest.mark.parametrize(
    "address",
    [
        "http://x/y",
        "git://x/y",
        "ext::sh -c true",
        "/srv/x",
        "--upload-pack=x",
        "https://me:secret@x/y",
        "https://token@x/y",
    ],
)
def test_other_addresses_are_not_used(address: str) -> None:
    with pytest.raises(Invalid, match="not used here") as refused:
        Repository.at(address)
    assert "secret" not in str(refused.value)


def test_without_a_repository_nothing_is_fetched() -> None:
    with pytest.raises(Refused, match="No repository"):
        Repository.at("")


def test_what_cannot_be_read_is_said_in_a_sentence(kept: Path, tmp_path: Path) -> None:
    for repository_, branch, words in (
        (at(kept), "gone", "cannot be read"),
        (at(kept, "nowhere"), "", "cannot be read"),
        (at(kept, ""), "", "no policy file"),
        (Repository.at(f"file://{tmp_path}/none"), "", "cannot be read"),
    ):
        with pytest.raises(NarrowgateError, match=words):
            repository_.read(branch)


def test_bounds(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "LONGEST_TEXT", -cases.LONGEST)
    with pytest.raises(Invalid, match="longer than"):
        at(kept).read()
    monkeypatch.undo()
    monkeypatch.setattr(repository, "MOST_FILES", 1)
    with pytest.raises(Invalid, match="more than 1 files"):
        at(kept).read()
    monkeypatch.setattr(gits, "WITHIN", 0.0)
    with pytest.raises(NarrowgateError, match="did not answer"):
        at(kept).read()


def test_what_git_writes_is_bounded(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (kept / "policies" / "c.cedar").write_bytes(os.urandom(100_000))
    git(kept, "add", ".")
    git(kept, "commit", "--quiet", "-m", "Large")
    monkeypatch.setattr(gits, "_BOUNDED", (*gits._BOUNDED[:3], "16"))
    with pytest.raises(NarrowgateError, match="cannot be read"):
        at(kept).read()


def test_no_hook_or_configuration_of_anybody_runs(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {mark}\n")
    script.chmod(0o755)
    home = tmp_path / "home"
    (home / "template" / "hooks").mkdir(parents=True)
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (home / "template" / "hooks" / hook).symlink_to(script)
    (home / ".gitconfig").write_text(
        f'[init]\ntemplateDir = {home}/template\n[core]\nfsmonitor = {script}\n[credential]\nhelper = "!{script}"\n'
    )
    monkeypatch.setenv("HOME", str(home))
    assert at(kept).read().commit
    git(kept, "config", "core.fsmonitor", str(script))  # a repository that somebody else prepared
    git(kept, "remote", "add", "origin", "https://me:secret@git.example/policies.git")
    assert commit_of([kept / "policies"])
    assert repository_of([kept / "policies"]) == "https://git.example/policies.git"
    assert not mark.exists()


def test_a_credential_is_in_no_argument_and_no_address() -> None:
    opened = Repository.at("https://git.example/policies.git", Opens("hush-hush"))
    settings = gits.settings_of(opened.opens)
    assert "hush-hush" not in opened.address
    assert "hush-hush" not in repr(opened)
    assert settings["GIT_CONFIG_COUNT"] == "5"
    assert settings["GIT_CONFIG_KEY_4"] == "http.extraHeader"
    assert gits.settings_of(Opens())["GIT_CONFIG_COUNT"] == "4"


@pytest.mark.django_db
def test_what_is_fetched_is_a_draft_and_takes_four_eyes(cast: Cast, kept: Path, settings: Settings) -> None:
    first = actions.install(READS, actor=cast.engineer)
    settings.POLICY_REPOSITORY = f"file://{kept}#policies"
    status, said = Caller(cast.engineer).post("policies/fetch")
    assert (status, said["status"], said["commit"]) == (201, "draft", git(kept, "rev-parse", "main"))
    made = PolicyVersion.objects.get(number=said["number"])
    assert attested.facts(made.signature, "narrowgate policy version")["repository"] == f"file://{kept}#policies"
    assert active() == first
    with pytest.raises(Refused, match="they wrote"):
        actions.approve(actions.propose(made.id, actor=cast.engineer).id, actor=cast.engineer)
    with pytest.raises(Stale, match="already"):
        actions.fetch(actor=cast.engineer)
    assert Caller(cast.ciso).post("policies/fetch")[0] == 404


@pytest.mark.django_db
def test_by_page(cast: Cast, kept: Path, settings: Settings) -> None:
    actions.install(READS, actor=cast.engineer)
    client = browser(cast.engineer)
    assert b"Fetch into a draft" not in client.get("/policies/").content
    assert b"No repository is set" in client.post("/policies/fetch/").content
    settings.POLICY_REPOSITORY = f"file://{kept}#policies"
    assert b"Fetch into a draft" in client.get("/policies/").content
    assert b"Fetch into a draft" not in browser(cast.reviewer).get("/policies/").content
    refused = client.post("/policies/fetch/", {"branch": "no such"})
    assert (refused.status_code, b'value="no such"' in refused.content) == (422, True)
    assert client.post("/policies/fetch/", {"branch": "main"}).headers["Location"] == "/policies/2/"


@pytest.fixture
def remote(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The same repository over https, on a machine whose authority this one knows."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(tmp_path, certificate, key) as address:
        yield f"{address}/kept/.git#policies"


def test_a_repository_is_read_over_https(kept: Path, remote: str) -> None:
    found = Repository.at(remote, Opens(TOKEN)).read("next")
    assert (found.commit, found.repository) == (git(kept, "rev-parse", "next"), remote)
    assert READS in found.text
    assert TOKEN not in str(found)


def test_what_a_remote_answers_badly_is_said_with_what_to_do(remote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = remote.replace("/kept", "/moved/kept")
    for address, token, words in (
        (remote, "wrong", "does not take the credential"),
        (remote, "", "asks for a credential"),
        (remote.replace("localhost", "nowhere.invalid"), TOKEN, "resolve host"),
        (remote.replace("/kept", "/other"), TOKEN, "not found"),
        (moved, TOKEN, "cannot be read"),
    ):
        with pytest.raises(NarrowgateError, match=words) as refused:
            Repository.at(address, Opens(token)).read()
        assert TOKEN not in str(refused.value)
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(NarrowgateError, match="certificate"):
        Repository.at(remote, Opens(TOKEN)).read()


def test_a_remote_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gits, "WITHIN", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NarrowgateError, match="did not answer"):
        Repository.at(f"https://localhost:{silent.getsockname()[1]}/x.git", Opens(TOKEN)).read()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A machine with an sshd of its own."""
    with running_host(tmp_path / "host") as one:
        yield one


def by_ssh(kept: Path, host: Host) -> str:
    return f"ssh://{host.user}@127.0.0.1:{host.port}{kept}/.git#policies"


def test_a_repository_is_read_over_ssh(kept: Path, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nonexistent")
    public = (host.folder / "host.pub").read_text()
    for host_keys in (public, f"# scanned\n[127.0.0.1]:{host.port} {public}"):
        found = Repository.at(by_ssh(kept, host), Opens(key=host.login_key, host_keys=host_keys)).read("next")
        assert (found.commit, found.repository) == (git(kept, "rev-parse", "next"), by_ssh(kept, host))
    assert host.login_key not in repr(Opens(key=host.login_key))


def test_a_host_is_believed_by_its_key_alone_and_told_apart_from_a_key_that_it_does_not_take(
    kept: Path, host: Host, tmp_path: Path
) -> None:
    make_key(tmp_path / "other")
    make_key(tmp_path / "locked")
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "a passphrase", "-f", str(tmp_path / "locked")], check=True)
    public, other = (host.folder / "host.pub").read_text(), (tmp_path / "other.pub").read_text()
    for key, host_keys, words in (
        (host.login_key, "", "No key of the host 127.0.0.1 is set"),
        (host.login_key, other, "shows another key than the one that is set"),
        (host.login_key, "SHA256:abc", "What is set as the host's key is none"),
        ((tmp_path / "other").read_text(), public, "does not take the key that is set"),
        ((tmp_path / "locked").read_text(), public, "cannot be read|does not take the key"),
        ("no key at all", public, "cannot be read"),
        ("", public, "asks for a key, and none is set"),
    ):
        with pytest.raises(NarrowgateError, match=words) as refused:
            Repository.at(by_ssh(kept, host), Opens(key=key, host_keys=host_keys)).read()
        assert "POLICY_REPOSITORY_" in refused.value.remedy
    gone = by_ssh(kept, host).replace("/kept/", "/gone/")
    for address, words in ((gone, "cannot be read"), (f"ssh://me@127.0.0.1:{free_port()}/x.git", "cannot be read")):
        with pytest.raises(NarrowgateError, match=words):
            Repository.at(address, Opens(key=host.login_key, host_keys=public)).read()


def test_no_address_becomes_an_option_of_ssh(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    for address in (f"ssh://-oProxyCommand=touch%20{mark}/x.git", f"ssh://-oProxyCommand=touch {mark}@h/x.git"):
        with pytest.raises(NarrowgateError):
            Repository.at(address, Opens(key="x", host_keys="ssh-ed25519 AAAA")).read()
    assert not mark.exists()
