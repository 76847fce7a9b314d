"""Every keyed name that the tables and tokens hold, against literal vectors.

The vectors were made with OpenSSL, not with this code: `printf %s TEXT | openssl dgst -sha256 -hmac KEY`.
A change that makes any of them anew orphans what is stored under it: locks, limits, idempotency records
and the subjects of tokens.
"""

import re
from collections import Counter

import pytest

from fakes.memory import PEPPER
from sms_otp.domain import keys
from sms_otp.domain.keys import IdForm, Peppers

NUMBER_KEY = "0c07fa9f1efdbc49ac5a7de24537108c343e1aacb6c4e3a76143a7f8fcb8ef58"
OWN_CODE = "5450688668"
CALLBACK_KEY = "9ORCoyxUltd1kzQ2tb4Avw"
VERIFICATION_KEY = "13a48784935b810f9b66cfb8ba888d160fe1ce869665caa287051a7b2fe43397"


def test_keys_of_a_number_address_block_and_idempotency_key_are_stable() -> None:
    assert keys.keyed(PEPPER, "number", "+14155550123") == NUMBER_KEY
    assert keys.keyed(PEPPER, "client", "198.51.100.1") == (
        "1ae38b53d8c6d05e3fb335b8e04602fa40f933f94e5b0361d19e687a3c5e7f10"
    )
    assert keys.keyed(PEPPER, "block", "+1415555") == (
        "0dedc8a871a08fecdc320a4172ef1e28c7635cbf7b7ac9561b6a388ca2ec14d3"
    )
    assert keys.keyed(PEPPER, "idempotency", "tenant-a:a-key") == (
        "6130c2225c8033e76852b59b35088ebc9a9062eea25b13dea33502fada45bc4a"
    )


def test_a_verification_is_stored_under_the_sha_256_of_its_id() -> None:
    assert keys.verification_key("an-id") == VERIFICATION_KEY


def test_a_verification_id_is_derived_from_the_nonce_of_an_older_version() -> None:
    assert keys.verification_id(PEPPER, "a-nonce") == "blvSIVe8JjT0t56UXxZVH88PSSNP3bdb"


def test_the_session_hash_is_stable() -> None:
    assert keys.session_hash(VERIFICATION_KEY, "a-session") == (
        "7695130e997f34ec7bbae611e260281ab6d6870a37479c771ccd959b822dc522"
    )


def test_the_subject_of_a_token_is_stable() -> None:
    assert keys.subject(NUMBER_KEY, "tenant-a") == (
        "bc98e3ae8e16f9e356234b177c7f9aac98d0ce9010f963ac4a2b02078e6c89b7"
    )


def named(nonce: str, form: IdForm = IdForm.OWN, pepper: str = PEPPER) -> str:
    return keys.verification_key(keys.verification_id(pepper, nonce, form))


def test_own_codes_and_callback_keys_are_stable() -> None:
    # The HMAC of "own code:a-nonce" ends so, as a decimal number.
    assert keys.own_code(Peppers(PEPPER), "a-nonce", named("a-nonce"), 10) == OWN_CODE
    assert keys.callback_key(PEPPER, VERIFICATION_KEY) == CALLBACK_KEY


@pytest.mark.parametrize("form", IdForm)
def test_an_own_code_survives_a_pepper_rotation(form: IdForm) -> None:
    made = keys.own_code(Peppers(PEPPER), "a-nonce", named("a-nonce", form), 6)
    rotated = Peppers("the-next-pepper-that-is-long-enough", PEPPER)
    assert made == keys.own_code(rotated, "a-nonce", named("a-nonce", form), 6)
    assert keys.own_code(Peppers("another-pepper"), "a-nonce", named("a-nonce", form), 6) is None


def test_own_codes_are_uniform_with_leading_zeros() -> None:
    nonces = [f"nonce-{number}" for number in range(10_000)]
    codes = [keys.own_code(Peppers(PEPPER), nonce, named(nonce), 6) for nonce in nonces]
    assert all(code is not None and re.fullmatch("[0-9]{6}", code) for code in codes)
    # Of 10,000 drawn from a million, 50 are expected to collide.
    assert len(set(codes)) > 9_850
    for place in range(6):
        digits = Counter(code[place] for code in codes if code)
        # Each of the ten is expected 1,000 times, with a standard deviation of 30.
        assert set(digits) == set("0123456789")
        assert all(850 < count < 1150 for count in digits.values())


def test_a_new_nonce_is_192_random_bits_and_so_is_the_verification_id_made_of_it() -> None:
    nonces = {keys.new_nonce() for _ in range(100)}
    assert len(nonces) == 100
    made = {keys.verification_id(PEPPER, nonce) for nonce in nonces}
    assert len(made) == 100
    assert all(re.fullmatch("[A-Za-z0-9_-]{32}", each) for each in nonces | made)


def test_a_verification_id_in_twilios_form_has_128_bits() -> None:
    made = keys.verification_id(PEPPER, "a-nonce", IdForm.TWILIO)
    assert made == "VEafd7721045f6aa9dea79286c165c5aee"
    assert re.fullmatch("VE[0-9a-f]{32}", made)


@pytest.mark.parametrize("form", IdForm)
@pytest.mark.parametrize("pepper", [PEPPER, "another-pepper"])
def test_a_verification_id_is_rebuilt_in_its_form_under_either_pepper(form: IdForm, pepper: str) -> None:
    made = keys.verification_id(pepper, "a-nonce", form)
    key = keys.verification_key(made)
    assert keys.named_again(Peppers(PEPPER, "another-pepper"), "a-nonce", key) == made
    assert keys.named_again(Peppers("a-third-one"), "a-nonce", key) is None


def test_hashes_of_owner_network_and_code_are_stable() -> None:
    assert keys.owner(NUMBER_KEY, "tenant-a", "a-session") == "NqpcbMRp1S8"
    assert keys.owner(NUMBER_KEY, "tenant-a", None) == "o9YSR2cnjFc"
    assert keys.network_hash(PEPPER, "+14155550123", "192.0.2.7") == "ArJYRhqtpGI"
    assert keys.code_hash(PEPPER, VERIFICATION_KEY, "123456") == "lCF5NJO_1F3ptXnHQheOEQ"


def test_the_current_pepper_comes_first_and_repr_shows_neither() -> None:
    assert Peppers("one").all == ("one",)
    assert Peppers("one", "other").all == ("one", "other")
    text = repr(Peppers("first-secret", "second-secret"))
    assert "first-secret" not in text
    assert "second-secret" not in text
