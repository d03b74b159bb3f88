"""An event that a signal sets, for programs whose main thread works until then."""

from __future__ import annotations

import os
import signal
import threading


def told_to_stop() -> threading.Event:
    """An event that SIGINT or SIGTERM sets. Call it in the main thread.

    The handlers do nothing, and a thread is told of the signal: a handler interrupts the main thread, which may hold the event's own
    lock just then, and setting the event there would wait for that for ever.
    """
    told = threading.Event()
    hears, says = os.pipe()
    os.set_blocking(says, False)
    signal.set_wakeup_fd(says, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)

    def listen() -> None:
        while os.read(hears, 1):
            told.set()

    threading.Thread(target=listen, name="signals", daemon=True).start()
    return told
