"""Withdrawals and statements as a node's API shows them."""

import re
from typing import Final

from exchange.errors import Json, NotFound
from exchange.node.compose import date_text
from exchange.node.obeying import names_of, withdrawal_index
from exchange.node.parts import Parts
from exchange.node.withdrawing import REASON
from exchange.storage.node_values import Message
from exchange.storage.withdrawal_port import (
    DestroyedMessage,
    OwnWithdrawal,
    SeenWithdrawal,
    StoredStatement,
    Told,
)
from schemas.canon import decode
from schemas.consent import SIGNED_STATEMENT, Conduct
from schemas.endings import WithdrawalTarget
from schemas.grant import SIGNED_GRANT
from schemas.limits import MAX_GRANT, MAX_PROVISION, MAX_SERVICE
from schemas.provision import SIGNED_PROVISION

_NAME: Final = re.compile(r"([A-Z]{3,4})-([0-9a-f]{32})")


def withdrawal_name(provider: str, ident: bytes) -> str:
    """How people name a withdrawal: its provider, and the id of the Grant or Provision in hexadecimal."""
    return f"{provider}-{ident.hex()}"


def read_name(text: str) -> tuple[str, bytes]:
    """The reverse. Raises NotFound."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise NotFound("no-such-withdrawal", "a withdrawal's name is a member's code, a dash, and an id: KAZ-0123...")
    return match[1], bytes.fromhex(match[2])


def conduct_label(conduct: int) -> str:
    """Such as `not-held`."""
    return Conduct(conduct).name.lower().replace("_", "-")


def remains_of(row: DestroyedMessage) -> Message:
    """A message of which only the facts are left."""
    return Message(
        id=row.message,
        box=row.box,
        provision=row.provision,
        state="destroyed",
        ministry=row.ministry,
        measure=row.measure,
        record_type=row.record_type,
        precedence=row.precedence,
        created=row.created,
        due=row.due,
        expires=row.expires,
        signed_provisions=row.signed_provisions,
        signed_grants=row.signed_grants,
        purpose=row.purpose,
        path=row.path,
        sealed_manifest=b"",
        sealed_title=b"",
        recipients=(),
        attachments=(),
    )


async def withdrawn_of(parts: Parts, message: Message) -> list[Json]:
    """What was withdrawn of the Provisions and Grants that a message stands under, as far as this node knows."""
    provisions = [decode(SIGNED_PROVISION, raw, 2 * MAX_PROVISION) for raw in message.signed_provisions]
    grants = [decode(SIGNED_GRANT, raw, 2 * MAX_GRANT) for raw in message.signed_grants]
    shown: list[Json] = []
    for provider, ident in names_of(provisions, grants):
        row: dict[str, Json] | None = None
        if provider == parts.member:
            own = await parts.stores.withdrawals.withdrawal(ident)
            row = None if own is None else own_json(parts, own)
        else:
            seen = await parts.stores.held.seen(provider, ident)
            row = None if seen is None else seen_json(parts, seen)
        index = withdrawal_index(parts.directory.current, provider, ident)
        if row is None and index is not None:
            row = {"name": withdrawal_name(provider, ident), "provider": provider, "id": ident.hex()}
            row |= {"state": "in-force", "index": index}
        if row is not None:
            shown.append(row)
    return shown


def own_json(parts: Parts, row: OwnWithdrawal) -> dict[str, Json]:
    """One of this state's own: `pending` until it stands in the cosigned directory, `in-force` from then on."""
    return {
        "name": withdrawal_name(parts.member, row.id),
        "provider": parts.member,
        "id": row.id.hex(),
        "target": WithdrawalTarget(row.target).name.lower(),
        "state": "pending" if row.position is None else "in-force",
        "index": row.position,
        "reason": parts.keyring.vault.open(REASON, row.id, row.sealed_reason).decode("utf-8"),
        "created": date_text(row.created),
        "in_force_since": None if row.since is None else date_text(row.since),
        "official": row.official,
        "fault": row.fault,
    }


def seen_json(parts: Parts, row: SeenWithdrawal) -> dict[str, Json]:
    """One of another state: `announced` while only its provider says so."""
    reason = None
    if row.sealed_reason is not None:
        reason = parts.keyring.vault.open(REASON, row.id, row.sealed_reason).decode("utf-8")
    return {
        "name": withdrawal_name(row.provider, row.id),
        "provider": row.provider,
        "id": row.id.hex(),
        "target": WithdrawalTarget(row.target).name.lower(),
        "state": "announced" if row.position is None else "in-force",
        "index": row.position,
        "reason": reason,
        "told": None if row.told is None else date_text(row.told),
        "known_since": date_text(row.time),
    }


def statement_json(row: StoredStatement) -> dict[str, Json]:
    """A statement, with its exact signed bytes."""
    said = decode(SIGNED_STATEMENT, row.signed, 2 * MAX_SERVICE).statement
    return {
        "holder": row.holder,
        "conduct": conduct_label(row.conduct),
        "time": date_text(row.time),
        "passed_on": [
            {"recipient": one.recipient, "envelope": one.envelope.hex(), "time": date_text(one.time)}
            for one in said.passed_on
        ],
        "signed": row.signed.hex(),
    }


def told_json(row: Told, statements: tuple[StoredStatement, ...]) -> dict[str, Json]:
    """A holder that was told, and what it has stated since."""
    return {
        "member": row.member,
        "told": date_text(row.time),
        "message": row.message.hex(),
        "statements": [statement_json(one) for one in statements if one.holder == row.member],
    }
