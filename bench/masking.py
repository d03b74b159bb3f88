"""Looking through what comes back: all detectors at once, beside Presidio without a language model, on the same text in one run.

The text is made from a fixed seed: log lines, JSON lines and prose, with a value of some detector in about every four kilobytes, and numbers, dates and
identifiers that are none. It comes in pieces of 16 KiB, as answers do. Presidio gets a part of it, line by line as it is meant to be used, with its recognizers of patterns
alone: it has no streaming. Both are told in megabytes a second of processor time, which a shared machine does not change.

    python bench/masking.py --json [--quick]

Presidio is installed for the run alone, in a virtual environment of its own.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import string
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agents.detectors.forms import Form
from agents.detectors.known import KNOWN, Strategy
from agents.detectors.masker import Masker
from agents.detectors.scanner import Scanner
from bench.printed import printed

ROOT = Path(__file__).resolve().parent.parent
PIECE = 16_384
ROUNDS = 3
WANTED = 100
"""Megabytes a second, with all detectors on."""
PEER = """
import sys, time
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine
from presidio_analyzer.predefined_recognizers import (CreditCardRecognizer, CryptoRecognizer, EmailRecognizer, IbanRecognizer, IpRecognizer,
    PhoneRecognizer, UsBankRecognizer, UsItinRecognizer, UsLicenseRecognizer, UsPassportRecognizer, UsSsnRecognizer)
class NoModel(NlpEngine):
    def load(self): pass
    def is_loaded(self): return True
    def process_text(self, text, language): return NlpArtifacts([], [], [], [], self, language)
    def process_batch(self, texts, language, **more): return ((text, self.process_text(text, language)) for text in texts)
    def is_stopword(self, word, language): return False
    def is_punct(self, word, language): return False
    def get_supported_entities(self): return []
    def get_supported_languages(self): return ["en"]
kinds = (CreditCardRecognizer, CryptoRecognizer, EmailRecognizer, IbanRecognizer, IpRecognizer, PhoneRecognizer, UsBankRecognizer, UsItinRecognizer,
         UsLicenseRecognizer, UsPassportRecognizer, UsSsnRecognizer)
registry = RecognizerRegistry(recognizers=[kind() for kind in kinds])
engine = AnalyzerEngine(registry=registry, nlp_engine=NoModel(), supported_languages=["en"])
lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
engine.analyze("ann@example.com", language="en")  # it may look for the list of top-level domains, once
began = time.process_time()
for line in lines:
    engine.analyze(line, language="en")
print(sum(map(len, lines)) / 1e6 / (time.process_time() - began))
"""


def texts(size: int) -> dict[str, bytes]:
    """`size` bytes, at least, of each kind of text."""
    chance = random.Random(4)  # noqa: S311 -- the same text in every run
    words = ["".join(chance.choices(string.ascii_lowercase, k=chance.randint(2, 9))) for _ in range(3_000)]
    makers = {"log": _log, "json": _json, "prose": _prose}
    found = {}
    for kind, make in makers.items():
        lines: list[str] = []
        length, since = 0, 0
        while length < size:
            line = make(chance, words, len(lines))
            if since > 4_096:
                value = chance.choice(list(KNOWN.values())).example.replace("\n", "\\n")
                line, since = make(chance, [*words, value], len(lines), value), 0
            lines.append(line)
            length, since = length + len(line) + 1, since + len(line)
        found[kind] = "\n".join(lines).encode()
    return found


def _log(chance: random.Random, words: list[str], number: int, value: str = "") -> str:
    said = " ".join(chance.choices(words, k=9))
    return f"2026-11-26T10:{number % 60:02d}:{number % 59:02d}.123Z INFO [worker-{number % 8}] {said} user={number} took={number % 977}ms {value}"


def _json(chance: random.Random, words: list[str], number: int, value: str = "") -> str:
    return json.dumps(
        {"id": number, "name": " ".join(chance.choices(words, k=2)), "created": f"2026-11-{number % 28 + 1:02d}T10:22:33Z", "amount": round(chance.random() * 900, 2),
         "note": " ".join(chance.choices(words, k=12)) + value, "open": True, "tags": chance.choices(words, k=3), "trace": f"{chance.getrandbits(128):032x}"}
    )  # fmt: skip


def _prose(chance: random.Random, words: list[str], number: int, value: str = "") -> str:
    return " ".join(chance.choices(words, k=40)) + f", {number} {value}."


def speed(scanner: Scanner, text: bytes, form: Form) -> tuple[float, int]:
    """Megabytes a second of one pass, and how many values it found."""
    masker = Masker(scanner, form)
    began = time.process_time()
    for at in range(0, len(text), PIECE):
        masker.feed(text[at : at + PIECE])
    masker.end()
    return len(text) / 1e6 / (time.process_time() - began), masker.counts.total()


def installed(folder: Path) -> Path:
    """An interpreter that has Presidio. Raises SystemExit."""
    uv = shutil.which("uv") or str(ROOT / ".venv" / "bin" / "uv")
    python = folder / "presidio" / "bin" / "python"
    try:
        subprocess.run([uv, "venv", "-q", str(folder / "presidio"), "--python", sys.executable], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), "presidio-analyzer"], check=True)
    except (OSError, subprocess.CalledProcessError):
        raise SystemExit("presidio-analyzer to compare with cannot be installed.") from None
    return python


def presidio(python: Path, kept: Path, text: bytes) -> float:
    """Megabytes a second of Presidio without a model."""
    kept.write_bytes(text)
    done = subprocess.run([python, "-c", PEER, str(kept)], check=True, capture_output=True, text=True)
    return float(done.stdout)


def figures(size: int, part: int) -> list[dict[str, Any]]:
    """Each kind of text, the median of three passes in turn."""
    scanner = Scanner(dict.fromkeys(KNOWN, Strategy.REDACT))
    made = texts(size)
    passes: dict[str, list[float]] = {kind: [] for kind in made}
    values = {}
    for _ in range(ROUNDS):
        for kind, text in made.items():
            rate, values[kind] = speed(scanner, text, Form.JSON if kind == "json" else Form.TEXT)
            passes[kind].append(rate)
    with tempfile.TemporaryDirectory(prefix="narrowgate-bench-") as folder:
        python = installed(Path(folder))
        peers = {kind: presidio(python, Path(folder) / kind, text[:part]) for kind, text in made.items()}
    return [_figure(kind, statistics.median(passes[kind]), peers[kind], values[kind]) for kind in made]


def _figure(kind: str, ours: float, peer: float, values: int) -> dict[str, Any]:
    return {
        "metric": "scan_mb_per_s",
        "case": f"{kind}, {len(KNOWN)} detectors",
        "unit": "MB/s",
        "ours": round(ours, 1),
        "peers": {"presidio without a model": round(peer, 2)},
        "ratio": round(ours / peer, 1),
        "values": values,
        "mark": f">= {WANTED} MB/s",
        "holds": ours >= WANTED,
    }


def main() -> None:
    """Measure, and print."""
    printed(
        "masking", __doc__, lambda quick: figures(4_000_000 if quick else 32_000_000, 100_000 if quick else 1_000_000)
    )


if __name__ == "__main__":
    main()
