"""Rules of `suspicious-transaction`: check digits, transactions given once, times.

Who may send and open such records is a matter of tokens and compartments and is decided elsewhere.
"""

from collections.abc import Iterator

from schemas.checks.common import Json, order_faults, past_day_faults
from schemas.checks.numbers import iban_faults, lei_faults
from schemas.record_errors import Fault


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    seen = set()
    for index, transaction in enumerate(body.get("transactions", ())):
        path = f"/body/transactions/{index}"
        if transaction["transactionnumber"] in seen:
            yield Fault(f"{path}/transactionnumber", "a number given before", "every transaction once")
        seen.add(transaction["transactionnumber"])
        yield from past_day_faults(record, f"{path}/date", transaction["date"])
        for member in ("t_from", "t_to"):
            party = transaction[member]
            yield from iban_faults(f"{path}/{member}/account/iban", party.get("account", {}).get("iban"))
            yield from lei_faults(f"{path}/{member}/entity/lei", party.get("entity", {}).get("lei"))
    yield from order_faults("/body/reply_by", record["issued_at"], body.get("reply_by"), "issued_at")
