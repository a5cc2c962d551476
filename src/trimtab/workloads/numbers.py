"""Personal and payment numbers that carry a checksum, found in runs of digits and letters.

A number counts only where a random string of the same written form would seldom pass: a long checksum, a date inside,
or separators in places nobody else puts them. Numbers with one check digit and no form of their own (a bare Dutch BSN,
a Polish PESEL) are left out: one in ten order numbers would pass for them.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from stdnum import iban, luhn
from stdnum.be import nn
from stdnum.br import cpf
from stdnum.cn import ric
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.no import fodselsnummer
from stdnum.se import personnummer
from stdnum.us import ssn

MAX_DIGITS = 19
"""The longest number known here is a 19-digit card; longer unbroken runs are something else."""


class _Form(NamedTuple):
    kind: str
    written: re.Pattern[str]
    is_valid: Callable[[str], bool]


def _is_card(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    return _CARD_PREFIX.match(digits) is not None and len(set(digits)) > 1 and luhn.is_valid(digits)


# Issuer ranges and lengths as the networks publish them under ISO/IEC 7812. Unix times in milli- to nanoseconds start
# with 1 and so never look like a card; Visa's 13 digits are long gone and would claim every German EAN in ten.
_CARD_PREFIX = re.compile(
    r"(?:4\d{15}(?:\d{3})?|(?:5[1-5]|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d+|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|(?:6011|65\d\d|64[4-9]\d|62\d\d|35[2-8]\d)\d{12,15})$"
)
_CARD_WRITTEN = re.compile(
    r"\d{14,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?|\d{4}([ -])\d{6}\2\d{4,5}|\d{6}[ -]\d{13}"
)

_DIGIT_FORMS: dict[int, tuple[_Form, ...]] = {
    9: (_Form("national_id_us", re.compile(r"\d{3}-\d\d-\d{4}"), ssn.is_valid),),
    10: (_Form("national_id_se", re.compile(r"\d{6}[-+]\d{4}"), personnummer.is_valid),),
    11: (
        _Form("national_id_br", re.compile(r"\d{3}\.\d{3}\.\d{3}-\d\d"), cpf.is_valid),
        _Form("national_id_be", re.compile(r"\d{11}|\d\d([. ])\d\d\1\d\d[- .]\d{3}[. ]\d\d"), nn.is_valid),
        _Form("national_id_no", re.compile(r"\d{6} ?\d{5}"), fodselsnummer.is_valid),
        _Form("national_id_de", re.compile(r"\d{11}|\d\d \d{3} \d{3} \d{3}"), idnr.is_valid),
    ),
    12: (
        _Form("national_id_in", re.compile(r"\d{4}([ -])\d{4}\1\d{4}"), aadhaar.is_valid),
        _Form("national_id_se", re.compile(r"\d{8}[-+]\d{4}"), personnummer.is_valid),
    ),
    15: (_Form("national_id_fr", re.compile(r"\d{13} ?\d\d|\d \d\d \d\d \d\d \d{3} \d{3} \d\d"), nir.is_valid),),
    18: (_Form("national_id_cn", re.compile(r"\d{18}"), ric.is_valid),),
}
for _n_digits in range(14, MAX_DIGITS + 1):
    _DIGIT_FORMS[_n_digits] = (*_DIGIT_FORMS.get(_n_digits, ()), _Form("card", _CARD_WRITTEN, _is_card))

_LETTER_FORMS = (
    _Form(
        "national_id_it",
        re.compile(r"[A-Z]{6}[0-9A-Z]{2}[A-Z][0-9A-Z]{2}[A-Z][0-9A-Z]{3}[A-Z]"),
        codicefiscale.is_valid,
    ),
    _Form("national_id_es", re.compile(r"\d{8}-?[A-Z]"), dni.is_valid),
    _Form("national_id_es", re.compile(r"[XYZ]-?\d{7}-?[A-Z]"), nie.is_valid),
    _Form("national_id_fi", re.compile(r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]"), hetu.is_valid),
    _Form("national_id_cn", re.compile(r"\d{17}X"), ric.is_valid),
)
LETTER_CANDIDATE = (
    rb"[0-9]{8}-?[A-Z]|[XYZ]-?[0-9]{7}-?[A-Z]|[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]|[0-9]{17}X"
    rb"|[A-Z]{6}[0-9L-V]{2}[ABCDEHLMPRST][0-9L-V]{2}[A-Z][0-9L-V]{3}[A-Z]"
)
"""RE2 source of everything :func:`letter_number` can accept."""

IBAN_CANDIDATE = rb"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}"
"""RE2 source of everything :func:`iban_at` can accept; greedy, so it may run on into the words behind."""

NUMBER_START = b"|".join(
    (
        rb"[0-9]{11}",  # anything unbroken
        rb"[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4}|[0-9]{6}[ -][0-9]{13}",  # cards, India
        rb"[0-9]{6} [0-9]{5}",  # Norway
        rb"[0-9]{6}(?:[0-9]{2})?[+-][0-9]{4}",  # Sweden
        rb"[0-9]{3}-[0-9]{2}-[0-9]{4}",  # United States
        rb"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-",  # Brazil
        rb"[0-9]{2} [0-9]{3} [0-9]{3} [0-9]{3}",  # Germany
        rb"[0-9]{2}[. ][0-9]{2}[. ][0-9]{2}[ .-][0-9]{3}",  # Belgium
        rb"[12] [0-9]{2} [0-9]{2} [0-9]{2} [0-9]",  # France
    )
)
"""RE2 source of the beginning of everything :func:`number_at` can accept."""

MAX_WIDTH = 2 * MAX_DIGITS
"""Characters that a number with its separators can take, and one more to see where it ends."""

_RUN = re.compile(r"\d+(?:[ .+-]\d+)*")
_DIGITS = re.compile(r"\d+")
_SHORTEST_IBAN = 15  # Norway
_IBAN_DIGITS = str.maketrans({letter: str(int(letter, 36)) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"})


def number_at(text: str) -> tuple[str | None, int]:
    """Read the number of digits and single separators that ``text`` begins with, trying every row of whole groups.

    Args:
        text: Begins with a digit; ``MAX_WIDTH`` characters of it are enough.

    Returns:
        Its kind and length; ``None`` and the length of the first group where it is no known number.
    """
    run = _RUN.match(text)
    assert run is not None
    n_digits, first_end = 0, 0
    for group in _DIGITS.finditer(text, 0, run.end()):
        end = group.end()
        first_end = first_end or end
        n_digits += end - group.start()
        if n_digits > MAX_DIGITS or text[end : end + 1].isalpha():
            break
        for form in _DIGIT_FORMS.get(n_digits, ()):
            if form.written.fullmatch(text, 0, end) is not None and form.is_valid(text[:end]):
                return form.kind, end
    return None, first_end


def letter_number(text: str) -> str | None:
    """Return the kind of a national number that mixes digits and letters, or ``None``."""
    for form in _LETTER_FORMS:
        if form.written.fullmatch(text) is not None and form.is_valid(text):
            return form.kind
    return None


def iban_at(text: str) -> int | None:
    """Return the length of the IBAN that ``text`` begins with, up to the end of a word, or ``None``."""
    for end in (match.start() for match in re.finditer(r" |$", text)):
        compact = text[:end].replace(" ", "")
        # The checksum alone first: the full check, which knows each country's form, costs thirty times as much.
        if len(compact) >= _SHORTEST_IBAN and _mod_97(compact) == 1 and iban.is_valid(compact, check_country=False):
            return end
    return None


def _mod_97(compact: str) -> int:
    """Return ISO 7064 MOD 97-10 of an IBAN: the first four characters moved to the end, letters as 10 to 35."""
    return int((compact[4:] + compact[:4]).translate(_IBAN_DIGITS)) % 97
