"""Atheris has wheels for Linux on x86-64 alone; elsewhere nothing is fuzzed with its guidance."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("atheris") else ["test_fuzzing.py"]
