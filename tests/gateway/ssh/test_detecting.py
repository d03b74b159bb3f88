"""What detectors find in a command's output, its input and in files, in place and whatever the pieces."""

from __future__ import annotations

from activity.models import Action, Frame
from tests.gateway.ssh.agent import Agent
from tests.gateway.ssh.test_exec import _finished
from tests.gateway.ssh.test_files import _scp, _there
from tests.gateway.wire.world import eventually


def test_a_value_in_two_pieces_is_masked_in_its_place_and_counted(agent: Agent) -> None:
    done = agent.ssh("echo -n 'card 4111 1111 '; echo '1111 1111 |'; echo AKIAIOSFODNN7EXAMPLE >&2")
    assert (done.stdout, done.stderr) == (b"card " + b"*" * 19 + b" |\n", b"*" * 20 + b"\n")
    action = _finished(agent)
    assert action.detected == {"aws_key": 1, "card_number": 1}
    kept = str(Frame.objects.get(action_id=action.id).rows)
    assert "1111" not in kept
    assert "AKIA" not in kept


def test_what_goes_in_is_not_kept_either(agent: Agent) -> None:
    agent.ssh("cat > /dev/null", data=b"card 4111 1111 1111 1111\n")
    assert "1111" not in str(Frame.objects.get(action_id=_finished(agent).id).rows)


def test_a_prompt_that_is_no_line_is_not_waited_for(agent: Agent) -> None:
    done = agent.ssh("echo -n 'name: '; cat", data=b"ann\n")
    assert done.stdout == b"name: ann\n"


def test_files_are_looked_through_piece_by_piece(agent: Agent) -> None:
    there, back = agent.sandbox / "cards.txt", agent.folder / "got.txt"
    there.write_text("a 4111 1111 1111 1111 b\n")
    assert _scp(agent, _there(agent, there), str(back)) == (0, "")
    assert back.read_bytes() == b"a " + b"*" * 19 + b" b\n"
    assert eventually(lambda: Action.objects.filter(verb="ssh:read", detected={"card_number": 1}).exists())
    assert not Frame.objects.filter(rows__icontains="1111 1111").exists()
