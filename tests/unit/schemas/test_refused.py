"""A refused transfer as providers are told of it."""

from collections.abc import Mapping

import pytest

from schemas.consent import decode_consent, encode_consent
from schemas.errors import Reason
from schemas.files import REFUSED, decode_file, encode_file
from schemas.limits import MAX_CONSENT, MAX_HEADER, MAX_SMALL_OBJECT, MAX_TIME
from schemas.refused import MAX_REFUSED, MAX_RULE, RefusedTransfer, decode_refused, encode_refused
from tests.support.wire import ABSENT, changed, refusal

LEAST = RefusedTransfer(b"header", None, "embargo", 5)
LARGEST = RefusedTransfer(bytes(MAX_HEADER), bytes(MAX_SMALL_OBJECT), "a" * MAX_RULE, MAX_TIME)


@pytest.mark.parametrize("refused", [LEAST, LARGEST], ids=["least", "largest"])
def test_it_is_read_as_it_was_written_in_each_of_its_forms(refused: RefusedTransfer) -> None:
    assert decode_refused(encode_refused(refused)) == refused
    assert decode_consent(encode_consent(refused)) == refused
    assert decode_file(REFUSED, encode_file(REFUSED, refused)) == refused
    assert len(encode_consent(refused)) <= MAX_CONSENT
    assert encode_consent(refused)[0] == 8


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({1: b""}, Reason.OUT_OF_RANGE),
        ({1: bytes(MAX_HEADER + 1)}, Reason.OUT_OF_RANGE),
        ({2: b""}, Reason.OUT_OF_RANGE),
        ({2: bytes(MAX_SMALL_OBJECT + 1)}, Reason.OUT_OF_RANGE),
        ({3: "a" * (MAX_RULE + 1)}, Reason.OUT_OF_RANGE),
        ({3: "no consent"}, Reason.OUT_OF_RANGE),
        ({3: "-consent"}, Reason.OUT_OF_RANGE),
        ({3: "No-consent"}, Reason.OUT_OF_RANGE),
        ({3: b"no-consent"}, Reason.WRONG_TYPE),
        ({3: ABSENT}, Reason.MISSING_FIELD),
        ({4: ABSENT}, Reason.MISSING_FIELD),
        ({5: 1}, Reason.UNKNOWN_FIELD),
    ],
)
def test_what_is_outside_the_protocol_is_refused(changes: Mapping[int, object], reason: Reason) -> None:
    assert refusal(decode_refused, changed(encode_refused(LEAST), changes)) is reason


def test_what_is_too_long_is_not_parsed() -> None:
    assert refusal(decode_refused, b"\xc1" * MAX_REFUSED) is Reason.MALFORMED
    assert refusal(decode_refused, b"\xc1" * (MAX_REFUSED + 1)) is Reason.TOO_LARGE
