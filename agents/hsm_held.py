"""A key of an HSM in use: one thing at a time, and opened again after the HSM was away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from pkcs11 import Session
from pkcs11.exceptions import (
    DeviceError,
    DeviceRemoved,
    SessionClosed,
    SessionHandleInvalid,
    TokenNotPresent,
    UserNotLoggedIn,
)

from ledger.hsm import Place, opened

AWAY = (DeviceError, DeviceRemoved, SessionClosed, SessionHandleInvalid, TokenNotPresent, UserNotLoggedIn)
"""What a library says of a session that an HSM has forgotten."""
K = TypeVar("K")
T = TypeVar("T")


class Slot(NamedTuple):
    """Where a key is, the PIN that opens it there, and the setting that says so."""

    place: Place
    pin: str
    setting: str

    def opened(self) -> Session:
        """A session with the token. Raises NarrowgateError, and what `ledger.hsm.told` puts into words."""
        return opened(self.place, self.pin, self.setting)


class Held(Generic[K]):
    """A key and its session; `find` finds the key again in a new one."""

    def __init__(self, slot: Slot, session: Session, key: K, find: Callable[[Session, Place], K]) -> None:
        self.slot = slot
        self._session = session
        self._key = key
        self._find = find
        self._one = threading.Lock()

    def use(self, work: Callable[[K], T]) -> T:
        """Do something with the key. Raises what the HSM's library raises."""
        with self._one:
            try:
                return work(self._key)
            except AWAY:
                self._session = self.slot.opened()
                self._key = self._find(self._session, self.slot.place)
                return work(self._key)
