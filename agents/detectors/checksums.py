"""Pure. The checks by which a number is told from any other of its form. Each takes digits and letters alone, upper case."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final

Check = Callable[[str], bool]


def luhn(text: str) -> bool:
    """ISO/IEC 7812-1, annex B: payment cards. One digit over and over is no card."""
    doubled = sum(sum(divmod(int(digit) * 2, 10)) for digit in text[-2::-2])
    return (doubled + sum(map(int, text[::-2]))) % 10 == 0 and len(set(text)) > 1


def mod_97(text: str) -> bool:
    """ISO 7064 MOD 97-10, as ISO 13616 has it for an IBAN: the first four characters are moved to the end."""
    moved = text[4:] + text[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28, "CH": 21,
    "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18,
    "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23,
    "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27,
    "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28,
    "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
"""Characters of an IBAN by country (the SWIFT IBAN registry)."""


def us_ssn(text: str) -> bool:
    """The Social Security Administration's rules; a number has no check digit. The two that were printed on specimens are none."""
    area, group, serial = text[:3], text[3:5], text[5:]
    named = area in {"000", "666"} or area >= "900" or group == "00" or serial == "0000"
    return not named and text not in {"078051120", "219099999"} and len(set(text)) > 1


def uk_nino(text: str) -> bool:
    """HM Revenue & Customs, NIM39110: prefixes that are never given."""
    return text[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


def de_tax_id(text: str) -> bool:
    """Steuer-ID: ISO 7064 MOD 11,10, and of the first ten digits exactly one comes twice or three times."""
    counts = sorted(text[:10].count(digit) for digit in set(text[:10]))
    if text[0] == "0" or counts[-1] not in {2, 3} or counts[-2:].count(counts[-1]) > 1 or 2 in counts[:-1]:
        return False
    product = 10
    for digit in text[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(text[10])


def nl_bsn(text: str) -> bool:
    """Burgerservicenummer: the eleven test, the last digit counted against."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return (
        sum(weight * int(digit) for weight, digit in zip(weights, text, strict=True)) % 11 == 0 and len(set(text)) > 1
    )


def fr_nir(text: str) -> bool:
    """Numéro d'inscription au répertoire: 97 less the rest; Corsica's 2A and 2B count as 19 and 18."""
    number = text[:13].replace("2A", "19").replace("2B", "18")
    return number.isdigit() and 97 - int(number) % 97 == int(text[13:])


def es_dni(text: str) -> bool:
    """Documento nacional de identidad, and NIE: the letter by the rest of 23."""
    number = {"X": "0", "Y": "1", "Z": "2"}.get(text[0], text[0]) + text[1:8]
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == text[8]


def pl_pesel(text: str) -> bool:
    """PESEL: weights 1, 3, 7, 9, and the day of birth is one."""
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    total = sum(weight * int(digit) for weight, digit in zip(weights, text, strict=True))
    century, month = divmod(int(text[2:4]), 20)
    return total % 10 == 0 and _is_day((1900, 2000, 2100, 2200, 1800)[century] + int(text[:2]), month, int(text[4:6]))


def it_codice_fiscale(text: str) -> bool:
    """Codice fiscale (decree of 12 March 1974): odd and even places are counted by tables of their own."""
    odd = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
    places = [ord(one) - (48 if one.isdigit() else 65) for one in text[:15]]
    total = sum(odd[place] if at % 2 == 0 else place for at, place in enumerate(places))
    return chr(65 + total % 26) == text[15]


def be_nrn(text: str) -> bool:
    """Rijksregisternummer: 97 less the rest, with a 2 before it for who was born from 2000 on."""
    number, check = int(text[:9]), int(text[9:])
    month = int(text[2:4])
    return month <= 12 and check in {97 - number % 97, 97 - (2_000_000_000 + number) % 97}


def ch_ahv(text: str) -> bool:
    """AHV-Nummer: an EAN-13 that begins with 756."""
    total = sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(text))
    return total % 10 == 0


def br_cpf(text: str) -> bool:
    """Cadastro de Pessoas Físicas: two check digits modulo 11."""

    def check(count: int) -> int:
        total = sum(int(digit) * (count + 1 - at) for at, digit in enumerate(text[:count]))
        return total * 10 % 11 % 10

    return (check(9), check(10)) == (int(text[9]), int(text[10])) and len(set(text)) > 1


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
