"""Validation of a record of about 4 KiB, against sealing it to three recipients."""

import json
from typing import Final

from exchange.bench.parties import make_parties
from exchange.bench.result import Result, at_most, medians
from exchange.bench.sealing import seal
from schemas.envelope import encode_header
from schemas.registry import examples, list_schemas
from schemas.validate import validate_record

_SIZE: Final = 4096
_RECIPIENTS: Final = 3


def validation_results() -> list[Result]:
    """The worked example that is nearest to 4 KiB."""
    texts = [text for record_type, _ in list_schemas() for _, text in examples(record_type)]
    text = min(texts, key=lambda candidate: abs(len(candidate) - _SIZE))
    record = json.loads(text)
    parties = make_parties(_RECIPIENTS + 1)
    recipients = parties.recipients(_RECIPIENTS)
    ours, base = medians(
        [lambda: validate_record(record), lambda: encode_header(seal(parties, recipients, text)[0])], 30
    )
    what = f"validating a {record['record_type']} of {len(text)} bytes / sealing it to {_RECIPIENTS}"
    return [at_most("validate-4k", ours, base, 0.1, "us", what)]
