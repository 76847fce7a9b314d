"""Phone numbers: strict E.164 in, one canonical spelling per subscriber out."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sms_otp.domain.errors import DestinationNotAllowed, InvalidPhoneNumber

E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
"""ITU-T E.164: a plus sign and at most 15 digits, the first not zero. ASCII only, because
libphonenumber also takes full-width and Arabic digits, letters, extensions and invisible characters."""

MEANT = {"UK": "GB", "EN": "GB", "EL": "GR"}
"""ISO 3166-1 codes, by codes that are often written in their place."""
UNKNOWN_COUNTRY = "ZZ"
"""A user-assigned code of ISO 3166-1, for numbers without a country."""

_MEXICAN_MOBILE = re.compile(r"\+521([0-9]{10})")
_GABONESE_MOBILE = re.compile(r"\+2410?([24567])([0-9]{6})")
_GABONESE_PREFIXES = {"2": "62", "4": "74", "5": "65", "6": "66", "7": "77"}
"""New prefixes of mobile numbers in Gabon, by those before 2019 without their zero."""
_PALESTINIAN_MOBILE = re.compile(r"\+972(5[69][0-9]{7})")
"""Prefixes of Jawwal and Ooredoo in the numbering plan of Israel, which reach the same phones as +970."""


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number that may be sent to. `e164` is canonical, and the only key to its records."""

    e164: str
    country: str
    """ISO 3166-1 alpha-2, by libphonenumber."""
    is_test: bool = False
    """Whether it is a test number: a parameter fixes its code, and no provider is called."""

    @property
    def digits(self) -> str:
        """E.164 without its plus sign, as Infobip expects it."""
        return self.e164[1:]

    @property
    def masked(self) -> str:
        """The only form that may be logged."""
        return mask(self.e164)

    def __repr__(self) -> str:
        return f"PhoneNumber({self.masked})"

    __str__ = __repr__


def load(countries: Iterable[str]) -> None:
    """Load the metadata of these countries ahead of `parse`, which loads others on their first number."""
    import phonenumbers

    for country in countries:
        phonenumbers.PhoneMetadata.metadata_for_region(country)


def parse(text: str) -> PhoneNumber:
    """Parse a number that codes may be sent to.

    Raises `InvalidPhoneNumber` if it is not E.164 or not in its country's numbering plan, and
    `DestinationNotAllowed` if no code is sent to its kind.
    """
    spelled = canonical(text)
    # A quarter of this package's import time, which functions that never parse a number save.
    import phonenumbers

    try:
        number = phonenumbers.parse(spelled)
    except phonenumbers.NumberParseException:
        raise InvalidPhoneNumber(reason="no country code") from None
    country = phonenumbers.region_code_for_number(number)
    if not phonenumbers.is_valid_number(number) or country is None:
        raise InvalidPhoneNumber(reason="no number of its country's plan")
    if phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) != spelled:
        # +44 07400 123456: libphonenumber drops the trunk prefix, but the number is looked up by its
        # spelling later.
        raise InvalidPhoneNumber(reason="another spelling")
    if country == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY:
        # Satellites and international networks, which libphonenumber calls mobile: +870, +881, +882.
        raise DestinationNotAllowed(reason="no country")
    kind = phonenumbers.number_type(number)
    if kind not in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE):
        raise DestinationNotAllowed(reason="kind of number")
    return PhoneNumber(spelled, country)


def parse_any_kind(text: str) -> PhoneNumber:
    """Parse a number to look up its records, whether or not codes may be sent to it now.

    Raises `InvalidPhoneNumber` if `text` is not E.164.
    """
    try:
        return parse(text)
    except (DestinationNotAllowed, InvalidPhoneNumber):
        return PhoneNumber(canonical(text), UNKNOWN_COUNTRY)


def canonical(text: str) -> str:
    """The canonical spelling of a subscriber's number. Raises `InvalidPhoneNumber` if `text` is not E.164.

    Mexico dropped the 1 before its mobile numbers, and both are still dialled. Argentina and Italy need no
    rule: without its 9 an Argentine number is a fixed line, and without its 0 an Italian one is invalid, so
    neither is sent to. Gabon changed its mobile prefixes in 2019; libphonenumber still accepts the old ones,
    with and without their zero. Mobile numbers in Palestine are dialled with +970, assigned by the ITU, and
    with +972 of Israel.
    """
    if not E164.fullmatch(text):
        raise InvalidPhoneNumber(reason="not E.164")
    if (old := _GABONESE_MOBILE.fullmatch(text)) is not None:
        return f"+241{_GABONESE_PREFIXES[old[1]]}{old[2]}"
    if (shared := _PALESTINIAN_MOBILE.fullmatch(text)) is not None:
        return f"+970{shared[1]}"
    return _MEXICAN_MOBILE.sub(r"+52\1", text)


def country_fault(country: str) -> str | None:
    """Why `country` is not a country code, and which one was meant; None if it is one."""
    import phonenumbers

    if country in phonenumbers.SUPPORTED_REGIONS:
        return None
    meant = f": write {MEANT[country]}" if country in MEANT else ""
    return f"no country of ISO 3166-1 that has phone numbers{meant}"


def mask(e164: str) -> str:
    """`+14155550171` becomes `+1415*****71`. At least five digits are hidden, however short the number."""
    shown = max(1, min(5, len(e164) - 7))
    return e164[:shown] + "*" * (len(e164) - shown - 2) + e164[-2:]
