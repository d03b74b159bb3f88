"""What a process began with, set aside from Python's garbage collector: it lives as long as the process."""

from __future__ import annotations

import gc


class _Current:
    """Whether that was done. To ask the collector is to have it count everything that was set aside."""

    done = False


def set_aside() -> None:
    """Collect what is garbage by now, and never look at the rest again."""
    gc.collect()
    gc.freeze()
    _Current.done = True


def is_set_aside() -> bool:
    """Whether this process has done so: then `gc.unfreeze` would undo it."""
    return _Current.done
