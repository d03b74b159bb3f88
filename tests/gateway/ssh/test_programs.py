"""rsync and git over SSH, as they are: commands like any other."""

from __future__ import annotations

import shlex
import subprocess

from activity.models import Action
from tests.gateway.ssh.agent import Agent


def _over(agent: Agent) -> str:
    return shlex.join(["ssh", *agent.options(), "-p", agent.address[1]])


def test_rsync(agent: Agent) -> None:
    source, target = agent.folder / "source", agent.sandbox / "target"
    (source / "deep").mkdir(parents=True, exist_ok=True)
    (source / "deep" / "a").write_text("x" * 100_000)
    done = agent.run("rsync", "-a", "-e", _over(agent), f"{source}/", f"{agent.name}@{agent.address[0]}:{target}/")
    assert (done.returncode, (target / "deep" / "a").read_text()) == (0, "x" * 100_000), done.stderr
    action = agent.last()
    assert (action.verb, action.shape) == ("ssh:exec", "rsync")
    assert action.shown.startswith("$ rsync --server ")


def test_git(agent: Agent) -> None:
    repository, clone = agent.sandbox / "project.git", agent.folder / "clone"
    subprocess.run(["git", "init", "-q", "--bare", str(repository)], check=True)
    name, port = agent.address
    over = {**agent.environment(), "GIT_SSH_COMMAND": _over(agent), "GIT_CONFIG_NOSYSTEM": "1"}
    address = f"ssh://{agent.name}@{name}:{port}{repository}"

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=Agent", "-c", "user.email=agent@example.com", "-c", "init.defaultBranch=main")
        done = subprocess.run(["git", *who, *arguments], env=over, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    git("clone", "-q", address, str(clone))
    (clone / "a").write_text("hello")
    git("-C", str(clone), "add", "a")
    git("-C", str(clone), "commit", "-q", "-m", "One")
    git("-C", str(clone), "push", "-q", "origin", "HEAD:main")
    said = subprocess.run(
        ["git", "-C", str(repository), "log", "--format=%s", "main"], check=True, capture_output=True, text=True
    )
    assert said.stdout == "One\n"
    assert agent.last().shown == f"$ git-receive-pack '{repository}'"
    assert Action.objects.filter(shown=f"$ git-upload-pack '{repository}'").exists()
