"""Pure. The detectors that come with the gate: what a value looks like, how it is told from what only looks so, where it acts unless a resource says otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

from agents.detectors import checksums
from agents.detectors.checksums import Check, luhn

WIDTH: Final = 512
"""Bytes of the longest value that is looked at as a whole; of a longer one the beginning is."""
BEFORE: Final = 160
"""Bytes before a value that may be looked at too."""
Accept = Callable[[bytes], int]
"""How many bytes of a match are the value; 0 where it is none."""


class Strategy(StrEnum):
    """What becomes of a value that was found."""

    REDACT = "redact"
    PARTIAL = "partial"
    HASH = "hash"


class Group(StrEnum):
    """What kind of value it is."""

    KEYS = "keys and tokens"
    MONEY = "payment"
    PERSON = "national identifiers"
    CONTACT = "contact"
    OWN = "your own"


@dataclass(frozen=True)
class Detector:
    """One kind of value. `pattern` is read by hyperscan and by `re` alike, and matches at most WIDTH bytes of one line."""

    name: str
    title: str
    group: Group
    pattern: str
    example: str
    finder: str = ""
    """What hyperscan looks for instead, where that is cheaper: it ends inside every match."""
    accept: Accept | None = None
    tail: str = ""
    """A class of characters: what of them follows the match belongs to the value too, however much it is."""
    reach: int = 120
    """How many bytes before the end of what hyperscan finds a match may begin."""
    everywhere: bool = True
    """Whether it redacts at every resource that does not say otherwise."""

    @cached_property
    def expression(self) -> re.Pattern[bytes]:
        """For the second look."""
        return re.compile(self.pattern.encode())

    @cached_property
    def going_on(self) -> re.Pattern[bytes] | None:
        """What of the value follows."""
        return re.compile(f"[{self.tail}]*".encode()) if self.tail else None


_SEPARATORS: Final = b" -./"
_JOINS: Final = frozenset(b".-")
_WORD: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def compact(value: bytes) -> str:
    """A value without what only divides it, in capitals."""
    return value.translate(None, _SEPARATORS).decode("ascii", "replace").upper()


def stands_alone(text: bytes, start: int, end: int) -> bool:
    """Whether a value is no part of a longer word or number, such as a decimal, a date or a UUID."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    if (before and before[-1] in _WORD) or (after and after[0] in _WORD):
        return False
    joined = (len(before) == 2 and before[1] in _JOINS and before[0] in _WORD) or (
        len(after) == 2 and after[0] in _JOINS and after[1] in _WORD
    )
    return not joined


def _by(check: Check) -> Accept:
    """The whole match, where the check holds and it is divided in one way."""

    def accept(value: bytes) -> int:
        divided = {byte for byte in value if byte in _SEPARATORS}
        return len(value) if len(divided) < 2 and check(compact(value)) else 0

    return accept


def _any_divided(check: Check) -> Accept:
    """The whole match, where the check holds, whatever divides it."""
    return lambda value: len(value) if check(compact(value)) else 0


def _iban(value: bytes) -> int:
    wanted = checksums.IBAN_LENGTHS.get(value[:2].decode(), 0)
    at = count = 0
    while at < len(value) and count < wanted:
        count += value[at : at + 1] != b" "
        at += 1
    ends = at == len(value) or value[at : at + 1] == b" "
    return at if wanted and count == wanted and ends and checksums.mod_97(compact(value[:at])) else 0


def _phone(value: bytes) -> int:
    return len(value) if 8 <= sum(byte in b"0123456789" for byte in value) <= 15 else 0


def _secrets() -> Iterable[Detector]:
    """Keys and tokens by the marks that those who issue them have given them."""
    url = "A-Za-z0-9_-"
    head = r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    yield Detector("private_key", "A private key (PEM, OpenSSH, PGP)", Group.KEYS, head,
                   "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----", tail=r"A-Za-z0-9+/=\s\x00:,.()\\-")  # fmt: skip
    yield Detector("jwt", "A JSON web token", Group.KEYS, rf"\bey(?:JhbGciOi|J0eXAiOi|JraWQiOi|JjdHkiOi|JlbmMiOi|Jqa3UiOi|J4NXQiOi|J4NWMiOi|AiYWxnIjo)[{url}]{{8}}",
                   "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", tail="." + url)  # fmt: skip
    yield Detector(
        "aws_key",
        "An AWS access key's name",
        Group.KEYS,
        r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
        "AKIAIOSFODNN7EXAMPLE",
    )
    yield Detector("aws_secret", "An AWS secret access key", Group.KEYS, r"""(?i:secret[_-]?access[_-]?key)["'\\]{0,2}[ \t]{0,2}[:=][ \t]{0,2}["'\\]{0,2}([A-Za-z0-9/+]{40})""",
                   "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")  # fmt: skip
    yield Detector(
        "google_key",
        "A Google API key or token",
        Group.KEYS,
        rf"\b(?:AIza[{url}]{{35}}|ya29\.[{url}]{{20}}|GOCSPX-[{url}]{{28}})",
        "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
        tail="." + url,
    )
    yield Detector(
        "azure_key",
        "An Azure storage key",
        Group.KEYS,
        r"(?i:accountkey)=([A-Za-z0-9+/]{86}==)",
        "AccountKey=" + "Ab3+" * 21 + "Zz==",
    )


def _tokens() -> Iterable[Detector]:
    """Likewise: of services that code is kept and run at."""
    word, url = "A-Za-z0-9", "A-Za-z0-9_-"
    yield Detector(
        "github_token",
        "A GitHub token",
        Group.KEYS,
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})",
        "ghp_" + "a1B2c3" * 6,
        tail=word + "_",
    )
    yield Detector(
        "gitlab_token",
        "A GitLab token",
        Group.KEYS,
        rf"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|oas)-[{url}]{{20}}",
        "glpat-" + "a1B2c" * 4,
        tail="." + url,
    )
    yield Detector("slack_token", "A Slack token or webhook", Group.KEYS, rf"\b(?:xox[abceoprs]-[{url}]{{10}}|xapp-[0-9]-[{url}]{{10}}|https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9]{{8}})",
                   "xoxb-" + "123456789012-" * 2 + "aBcDeFgHiJkL", tail="/" + url)  # fmt: skip
    yield Detector(
        "stripe_key",
        "A Stripe key",
        Group.KEYS,
        r"\b(?:[rs]k_(?:live|test)|whsec)_[A-Za-z0-9]{16}",
        "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
        tail=word,
    )
    yield Detector("model_key", "A key of a model's API (Anthropic, OpenAI, Hugging Face)", Group.KEYS, rf"\b(?:sk-ant-[{url}]{{20}}|sk-(?:proj|svcacct|admin)-[{url}]{{20}}|sk-[A-Za-z0-9]{{20}}T3BlbkFJ|hf_[A-Za-z]{{30}})",
                   "sk-ant-api03-" + "aB3_dE" * 8, tail=url)  # fmt: skip
    yield Detector(
        "package_token",
        "A token of npm, PyPI or Docker",
        Group.KEYS,
        rf"\b(?:npm_[A-Za-z0-9]{{36}}|pypi-AgE[{url}]{{40}}|dckr_pat_[{url}]{{20}})",
        "npm_" + "a1B2c3" * 6,
        tail=url,
    )
    yield Detector("cloud_token", "A token of SendGrid, DigitalOcean, Shopify, Vault or Terraform", Group.KEYS,
                   rf"\b(?:SG\.[{url}]{{22}}\.[{url}]{{43}}|do[opr]_v1_[0-9a-f]{{64}}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{{32}}|hvs\.[{url}]{{24}}|[A-Za-z0-9]{{14}}\.atlasv1\.[{url}]{{20}})",
                   "dop_v1_" + "0a1b2c3d" * 8, tail="=" + url)  # fmt: skip
    yield Detector("url_password", "A password in an address", Group.KEYS, r"""\b[a-z][a-z0-9+.-]{1,20}://[^\s\x00:/@"'<>\\]{0,64}:([^\s\x00/@"'<>\\]{3,128})@""",
                   "postgres://app:hunter2@db.internal/shop", finder=r"""://[^\s\x00/@"'<>\\]{4,193}@""", reach=220)  # fmt: skip


def _money() -> Iterable[Detector]:
    card = r"\b(?:(?:4\d{3}|5[1-5]\d{2}|2[2-7]\d{2}|6011|6[24-5]\d{2}|35\d{2})[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}|3[47]\d{2}[ -]?\d{6}[ -]?\d{5}|3(?:0[0-5]|[689]\d)\d[ -]?\d{6}[ -]?\d{4})\b"
    yield Detector(
        "card_number", "A payment card's number", Group.MONEY, card, "4111 1111 1111 1111", accept=_by(luhn), reach=20
    )
    yield Detector(
        "iban",
        "An IBAN",
        Group.MONEY,
        r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b",
        "DE89 3704 0044 0532 0130 00",
        accept=_iban,
        reach=50,
        everywhere=False,
    )


def _one(name: str, title: str, pattern: str, example: str, check: Check, *, everywhere: bool = False) -> Detector:
    return Detector(
        name, title, Group.PERSON, pattern, example, accept=_any_divided(check), reach=24, everywhere=everywhere
    )


def _persons() -> Iterable[Detector]:
    yield _one(
        "ssn", "US Social Security number", r"\b\d{3}-\d{2}-\d{4}\b", "536-90-4399", checksums.us_ssn, everywhere=True
    )
    yield _one(
        "uk_nino",
        "UK National Insurance number",
        r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b",
        "AB 12 34 56 C",
        checksums.uk_nino,
    )
    yield _one(
        "de_tax_id",
        "German tax identification number",
        r"\b[1-9]\d ?\d{3} ?\d{3} ?\d{3}\b",
        "86 095 742 719",
        checksums.de_tax_id,
    )
    yield _one("nl_bsn", "Dutch citizen service number", r"\b\d{9}\b", "111222333", checksums.nl_bsn)


def _more_persons() -> Iterable[Detector]:
    yield _one(
        "fr_nir",
        "French social security number",
        r"\b[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}\b",
        "2 55 08 14 168 025 38",
        checksums.fr_nir,
    )
    yield _one(
        "es_dni", "Spanish DNI or NIE", r"\b(?:\d{8}|[XYZ]-?\d{7})-?[A-HJ-NP-TV-Z]\b", "12345678Z", checksums.es_dni
    )
    yield _one(
        "pl_pesel",
        "Polish PESEL",
        r"\b\d{2}(?:[02468][1-9]|[13579][0-2])(?:0[1-9]|[12]\d|3[01])\d{5}\b",
        "44051401359",
        checksums.pl_pesel,
    )
    yield _one(
        "it_codice_fiscale",
        "Italian codice fiscale",
        r"\b[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]\b",
        "RSSMRA85T10A562S",
        checksums.it_codice_fiscale,
    )
    yield _one(
        "be_nrn",
        "Belgian national number",
        r"\b\d{2}\.?(?:0\d|1[0-2])\.?(?:[0-2]\d|3[01])-?\d{3}\.?\d{2}\b",
        "85.07.30-033.28",
        checksums.be_nrn,
    )
    yield _one("ch_ahv", "Swiss AHV number", r"\b756\.?\d{4}\.?\d{4}\.?\d{2}\b", "756.9217.0769.85", checksums.ch_ahv)
    yield _one("br_cpf", "Brazilian CPF", r"\b\d{3}\.?\d{3}\.?\d{3}-?\d{2}\b", "529.982.247-25", checksums.br_cpf)


def _contacts() -> Iterable[Detector]:
    mail = r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9_][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}"
    yield Detector(
        "email",
        "An e-mail address",
        Group.CONTACT,
        mail,
        "ann@example.com",
        finder="[A-Za-z0-9_%+-]@[A-Za-z0-9]",
        reach=66,
        everywhere=False,
    )
    phone = r"(?:\+[1-9]\d{0,2}(?:[ ./-]?\(?\d{1,5}\)?){2,6}|\(\d{3}\) ?\d{3}-\d{4}|\b\d{3}[.-]\d{3}[.-]\d{4})\b"
    yield Detector(
        "phone",
        "A telephone number",
        Group.CONTACT,
        phone,
        "+49 228 1234567",
        accept=_phone,
        reach=60,
        everywhere=False,
    )


KNOWN: Final = {
    one.name: one for some in (_secrets, _tokens, _money, _persons, _more_persons, _contacts) for one in some()
}
"""All of them, by name."""
USUAL: Final = {name: Strategy.REDACT for name, one in KNOWN.items() if one.everywhere}
"""What acts at a resource that says nothing."""
