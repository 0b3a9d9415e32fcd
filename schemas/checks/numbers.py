"""Numbers that carry check digits or a plan of their own. Pure; every function yields at most one fault."""

from collections.abc import Iterator

import phonenumbers
from stdnum import casrn, iban, lei
from stdnum.iso7064 import mod_97_10

from schemas.record_errors import Fault

_IBAN_HEAD = 4


def cas_faults(path: str, number: str | None) -> Iterator[Fault]:
    """A CAS registry number whose check digit is wrong."""
    if number is not None and not casrn.is_valid(number):
        yield Fault(path, "a wrong check digit", "a CAS number with its check digit")


def lei_faults(path: str, number: str | None) -> Iterator[Fault]:
    """A Legal Entity Identifier (ISO 17442) whose check digits are wrong."""
    if number is not None and not lei.is_valid(number):
        yield Fault(path, "wrong check digits", "a Legal Entity Identifier with its check digits")


def iban_faults(path: str, number: str | None) -> Iterator[Fault]:
    """An account number (ISO 13616) with wrong check digits; a warning if its country's form is another or unknown.

    The registry of forms grows, and a release of this program knows only those of its day.
    """
    if number is None:
        return
    if not mod_97_10.is_valid(number[_IBAN_HEAD:] + number[:_IBAN_HEAD]):
        yield Fault(path, "wrong check digits", "an IBAN with its check digits")
    elif not iban.is_valid(number, check_country=False):
        yield Fault(path, "an unknown form", "an IBAN of the form that its country registered", warning=True)


def phone_warnings(path: str, number: str) -> Iterator[Fault]:
    """A number that no plan of the world has; a warning, since plans change."""
    try:
        possible = phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        possible = False
    if not possible:
        yield Fault(path, "an unusual number", "a number with its country's code and length", warning=True)
