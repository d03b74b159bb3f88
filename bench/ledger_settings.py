"""The console's settings, with the libraries that bench/ledger.py compares its ledger with."""

from __future__ import annotations

from console.settings import *  # noqa: F403 -- the console's own settings, and the peers

INSTALLED_APPS = [*INSTALLED_APPS, "auditlog", "simple_history", "pghistory", "bench.peers"]  # noqa: F405
