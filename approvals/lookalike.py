"""Characters that are not what they seem, found and named. Pure: no Django, no I/O.

Source: the idea of Unicode Technical Standard 39 (confusables), cut down to what a reviewer of commands
needs: letters drawn like ASCII ones, and characters that draw nothing or change the order of others.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Drawn like the ASCII letter in either of our two fonts (UTS 39 prototypes, single letters only).
_TWINS = {
    "'": "\u02b9\u02bc\u2019\u2018\u2032\u05f4",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2212",
    ".": "\u00b7",
    "/": "\u2044\u2215",
    "0": "\u0660\u06f0",
    "A": "\u0410\u0391",
    "B": "\u0412\u0392",
    "C": "\u0421",
    "E": "\u0415\u0395",
    "H": "\u041d\u0397",
    "I": "\u0406\u0399",
    "J": "\u0408",
    "K": "\u041a\u039a",
    "M": "\u041c\u039c",
    "N": "\u039d",
    "O": "\u041e\u039f",
    "P": "\u0420\u03a1",
    "S": "\u0405",
    "T": "\u0422\u03a4",
    "X": "\u0425\u03a7",
    "Y": "\u0423\u03a5",
    "Z": "\u0396",
    "a": "\u0430\u0251",
    "b": "\u042c",
    "c": "\u0441",
    "d": "\u0501",
    "e": "\u0435",
    "g": "\u0261",
    "h": "\u04bb",
    "i": "\u0456\u0131",
    "j": "\u0458",
    "l": "\u2113",
    "o": "\u043e\u03bf",
    "p": "\u0440\u03c1",
    "q": "\u051b",
    "s": "\u0455",
    "u": "\u03c5",
    "v": "\u0475\u03bd",
    "w": "\u051d",
    "x": "\u0445",
    "y": "\u0443",
}
_DRAWN_ALIKE = {odd: plain for plain, odds in _TWINS.items() for odd in odds}
_INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"}
_PLAIN_CONTROLS = "\n\t\r"
_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = {
    "CYRILLIC": "Cyrillic",
    "GREEK": "Greek",
    "FULLWIDTH": "full-width",
    "ARABIC-INDIC": "Arabic",
    "MATHEMATICAL": "mathematical",
}


@dataclass(frozen=True)
class Oddity:
    """One such character: where it is (0-based), its Unicode name, and the ASCII it is taken for.

    `looks_like` is empty for one that draws nothing.
    """

    at: int
    character: str
    name: str
    looks_like: str

    @property
    def code_point(self) -> str:
        """The form people look up: U+0415."""
        return f"U+{ord(self.character):04X}"

    @property
    def invisible(self) -> bool:
        """Whether it draws nothing, or only changes how others are drawn."""
        return not self.looks_like

    @property
    def says(self) -> str:
        """What it is, in a few words: "a Cyrillic Е (U+0415), not a Latin E"."""
        if self.invisible:
            return f"an invisible {self.name.lower()} ({self.code_point})"
        script = next((word for start, word in _SCRIPTS.items() if self.name.startswith(start)), "")
        kind = f"a {script} {self.character}" if script else f"{_article(self.name)} {self.name.lower()}"
        return f"{kind} ({self.code_point}), not {_plainly(self.looks_like)}"


def find(text: str) -> tuple[Oddity, ...]:
    """Every character of `text` that hides or passes for another, in order.

    A word written wholly in another alphabet is left alone, unless each of its letters passes for an
    ASCII one: then the word can be read as a word it is not.
    """
    suspects = _letters_of_suspect_words(text)
    found = (_odd(at, character, at in suspects) for at, character in enumerate(text))
    return tuple(oddity for oddity in found if oddity)


def _odd(at: int, character: str, suspect: bool) -> Oddity | None:
    if character.isascii():
        hidden = unicodedata.category(character) == "Cc" and character not in _PLAIN_CONTROLS
        return Oddity(at, character, "control character", "") if hidden else None
    if _is_invisible(character):
        return Oddity(at, character, unicodedata.name(character, "unassigned character"), "")
    looks_like = _ascii_twin(character)
    if looks_like and (suspect or not character.isalpha()):
        return Oddity(at, character, unicodedata.name(character), looks_like)
    return None


def _is_invisible(character: str) -> bool:
    category = unicodedata.category(character)
    return category in _INVISIBLE or "FILLER" in unicodedata.name(character, "")


def _ascii_twin(character: str) -> str:
    """The ASCII character it is drawn like, or nothing."""
    twin = _DRAWN_ALIKE.get(character) or unicodedata.normalize("NFKC", character)
    return twin if len(twin) == 1 and twin.isascii() and twin.isprintable() and twin != character else ""


def _letters_of_suspect_words(text: str) -> frozenset[int]:
    """Positions in words that can be read as ASCII: they mix ASCII with twins of it, or hold nothing but twins."""
    return frozenset(
        at
        for word in _WORD.finditer(text)
        if all(letter.isascii() or _ascii_twin(letter) for letter in word.group())
        for at in range(word.start(), word.end())
    )


def _article(name: str) -> str:
    return "an" if name[0] in "AEIOU" else "a"


def _plainly(character: str) -> str:
    if character.isalpha():
        return f"a Latin {character}"
    return "the digit 0" if character == "0" else f"a plain {character}"
