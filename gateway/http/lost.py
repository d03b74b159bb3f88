"""Pure. What goes wrong on the way to an API."""

from __future__ import annotations


class Lost(Exception):
    """The answer does not come, or not whole: what was asked for may have happened."""


class Late(Lost):
    """Nothing came, or nothing was taken, for too long."""


class Unreached(Lost):
    """There is no connection, and nothing was sent."""


class Elsewhere(Unreached):
    """The name leads to an address where no resource is."""
