"""One agent's connection: its own connection to the host, and whatever runs in its channels."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import asyncssh
import structlog

from activity.hotpath import Outcome
from agents.detectors.acting import Detecting
from gateway.action import Action
from gateway.callers import require_known
from gateway.holds import Left
from gateway.pipeline import Admission, Pipeline
from gateway.refusal import Refusal
from gateway.snapshot import Watch
from gateway.ssh import reading
from gateway.ssh.asking import Asking, Outlet, Plain
from gateway.ssh.login import Entrance
from gateway.ssh.parts import Part
from gateway.ssh.passing import Passing, Receiver
from gateway.ssh.reading import Place, Terminal, Wish, unread
from gateway.ssh.recording import Recording
from gateway.ssh.running import Ending, Running
from gateway.ssh.transfer import Transfer
from gateway.ssh.upstream import Upstream

if TYPE_CHECKING:
    from gateway.ssh.channel import Channel

CUT_OFF_AFTER: Final = 0.3
"""Seconds that a client whose credential was revoked gets to read why."""
AGAIN: Final = 0.25
"""Seconds until an expired session that waits for people is looked at again."""
MOST_CHANNELS: Final = 8
"""At once; a host takes ten by default, and the gate needs one to stop what runs."""
TRANSFERS: Final = frozenset(
    {"git-receive-pack", "git-upload-archive", "git-upload-pack", "rsync", "scp", "sftp-server"}
)
"""Programs that talk with one at the agent's side, which would wait for what is held back."""
log = structlog.get_logger()


class Session:
    """Handles a client that has signed in."""

    def __init__(
        self,
        connection: asyncssh.SSHServerConnection,
        entrance: Entrance,
        upstream: Upstream,
        pipeline: Pipeline,
        watch: Watch,
    ) -> None:
        self.caller = entrance.caller
        self.upstream = upstream
        self.bytes = 0
        self.ended_because = "The client left."
        self.gone = asyncio.Event()
        """Set once the client's connection is over."""
        self._connection = connection
        self._target = entrance.target
        self._pipeline, self._watch = pipeline, watch
        self._number = 0
        self._channels: set[Channel] = set()
        self._running: set[Running] = set()
        self._stopping: set[asyncio.Task[None]] = set()
        self._admitting = 0
        self._killed = False
        self._clock: asyncio.TimerHandle | None = None
        self._end_in_time()

    def next(self) -> int:
        """The number of its next action."""
        self._number += 1
        return self._number

    # ---- channels, and the end ----
    def opened(self, channel: Channel) -> bool:
        """Whether one more channel may be open; it counts from now on."""
        if self._killed or len(self._channels) >= MOST_CHANNELS:
            return False
        self._channels.add(channel)
        return True

    def closed(self, channel: Channel) -> None:
        """A channel is over."""
        self._channels.discard(channel)

    def kill(self, words: str) -> None:
        """Stop for revocation: the client is told why and cut off even if it does not read; what runs is stopped. Once is enough."""
        if self._killed:
            return
        self._killed = True
        self.ended_because = words
        for channel in list(self._channels):
            channel.tell(words)
        for running in list(self._running):
            task = asyncio.ensure_future(running.stop(words, at_once=True))
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)
        self._connection.disconnect(asyncssh.DISC_BY_APPLICATION, words)
        asyncio.get_running_loop().call_later(CUT_OFF_AFTER, self._connection.abort)

    def _end_in_time(self) -> None:
        """Cut the session off once its credential has ended; what people are asked about, or let through since, goes on."""
        left = self.caller.expires - time.time()
        if left <= 0 and not self._admitting and not any(one.late for one in self._running):
            self.kill("The credential of this session has expired.")
        if not self._killed and not self.gone.is_set():
            self._clock = asyncio.get_running_loop().call_later(max(left, AGAIN), self._end_in_time)

    async def close(self) -> None:
        """Let what runs end, or be stopped, so that its outcome is known; then hang up on the host."""
        self.gone.set()
        if self._clock is not None:
            self._clock.cancel()
        for channel in list(self._channels):
            channel.leave()
        over = [channel.finished() for channel in list(self._channels)]
        await asyncio.gather(*over, *self._stopping, return_exceptions=True)
        self.upstream.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(CUT_OFF_AFTER):
                await self.upstream.closed()

    # ---- the pipeline ----
    def place(self, folder: str, environment: Mapping[str, str]) -> Place:
        """Where something happens."""
        return Place(self._target.host_key, self.upstream.user, folder, self.upstream.environment(dict(environment)))

    async def refuse(self, text: str, refusal: Refusal) -> Refusal:
        """Record that something was refused before it was understood; gives the refusal to tell."""
        return await self._pipeline.refuse(self.caller, unread(text, self.caller, self.next()), refusal)

    async def admit(self, outlet: Outlet, wish: Wish, place: Place) -> Admission[Plain]:
        """Steps 1 and 3 to 6. Raises Refusal, and Left."""
        asking = Asking(self, outlet, wish, place)
        outlet.cancelled.clear()
        self._admitting += 1
        try:
            admission = await self._pipeline.admit(self.caller, asking.action, asking)
        finally:
            self._admitting -= 1
        if self._killed or outlet.left.is_set():
            self.finish(admission, Recording(), "failed", "Not run: the client left before it was sent.")
            raise Left
        return admission

    async def lets_terminal(self, outlet: Outlet, one: Terminal) -> bool:
        """Whether policy would let a terminal through, people's approval included; nothing is asked and nothing recorded."""
        asking = Asking(self, outlet, reading.terminal(one), self.place(self.upstream.home, {"TERM": one.kind}))
        self._number -= 1  # it was no action
        with suppress(Refusal):
            snapshot = self._watch.current()
            require_known(snapshot, self.caller.agent, self.caller.resource)
            return (await self._pipeline.decide(snapshot, self.caller, asking.action, asking)).verdict != "deny"
        return False

    async def admit_terminal(self, outlet: Outlet, one: Terminal) -> Admission[Plain]:
        """Steps 1 and 3 to 6 for a whole terminal. Raises Refusal, and Left."""
        return await self.admit(outlet, reading.terminal(one), self.place(self.upstream.home, {"TERM": one.kind}))

    async def start_terminal(self, passing: Passing, one: Terminal) -> Running:
        """6. Start an admitted terminal at the host. Raises Refusal."""
        place = self.place(self.upstream.home, {"TERM": one.kind})
        return await self.start(
            passing, "exec bash --noprofile --norc -i", place, term_type=one.kind, term_size=one.size
        )

    async def alone(self, action: Action, parts: Sequence[Part]) -> list[dict[str, object]]:
        """Each part with what policy says of it alone, for people to see."""
        snapshot = self._watch.current()
        agent, resource = snapshot.agents[self.caller.agent].facts, snapshot.resources[self.caller.resource].facts
        whole = replace(action).asked(self.caller, agent, resource)
        found = []
        for part, each in zip(parts, whole.each, strict=True):
            decision = snapshot.engine.decide(replace(whole, verbs=frozenset({part.verb}), each=(each,)))
            said: dict[str, object] = {
                "verb": part.verb,
                "text": part.text,
                "path": part.path,
                "why": part.why,
                "through": list(part.through),
            }
            found.append({**said, "alone": str(decision.verdict)})
        return found

    def finish(
        self,
        admission: Admission[Plain],
        recording: Recording,
        status: str,
        message: str = "",
        *,
        detected: Counter[str] | None = None,
    ) -> None:
        """8. Record the outcome."""
        self.bytes += recording.size
        self._pipeline.finish(
            Outcome(
                admission.action_id,
                self.caller.texts[0],
                status,
                datetime.now(UTC),
                bytes=recording.size,
                masked_values=recording.hidden + (detected.total() if detected else 0),
                message=message,
                frame=recording.frame(),
                shared=admission.shared,
                detected=detected,
            )
        )

    # ---- the host ----
    def recording(self, *, terminal: bool = False) -> Recording:
        """An empty one, that keeps the vault's secret out."""
        secret = self._target.secret
        hidden = "" if secret.lstrip().startswith("-----BEGIN") else secret
        return Recording(hidden, terminal=terminal, scanner=self.detecting.scanner)

    @property
    def detecting(self) -> Detecting:
        """The detectors that act there."""
        return self._watch.detecting(self.caller.resource)

    def passing(
        self, receiver: Receiver, recording: Recording, admission: Admission[Plain], wish: Wish | None = None
    ) -> Passing:
        """The way of an admitted command's output to the agent and into the recording."""
        patient = wish is None or not any(part.program in TRANSFERS for part in wish.parts)
        return Passing(receiver, recording, self.detecting, admission.decision.unmask, patient=patient)

    async def start(self, passing: Passing, command: str, place: Place, **terminal: object) -> Running:
        """6. Start an admitted command at the host. Raises Refusal where the host does not take it."""
        running = Running(passing, self.upstream.kill, marked=not terminal)
        running.late = time.time() >= self.caller.expires
        text = self.upstream.wrapped(command, place.folder, dict(place.environment), running.mark)
        try:
            await self.upstream.connection.create_session(lambda: running, text, encoding=None, env={}, **terminal)  # type: ignore[arg-type]  # options of a terminal
        except (asyncssh.Error, OSError) as error:
            log.info("host_refuses_command", error=f"{type(error).__name__}: {error}")
            raise Refusal(
                "The host does not take the command.", code="resource_unavailable", remedy="Try again in a moment."
            ) from None
        self._running.add(running)
        return running

    async def start_transfer(self, transfer: Transfer) -> None:
        """Begin a file transfer at the host. Raises Refusal where the host has none."""
        try:
            await self.upstream.connection.create_session(lambda: transfer, subsystem="sftp", encoding=None, env={})
        except (asyncssh.Error, OSError) as error:
            log.info("host_refuses_transfer", error=f"{type(error).__name__}: {error}")
            raise Refusal(
                "The host has no SFTP.", code="resource_unavailable", remedy="Enable its sftp subsystem."
            ) from None
        transfer.begin()

    def ended(self, running: Running) -> Ending:
        """What runs has ended."""
        self._running.discard(running)
        return running.ending
