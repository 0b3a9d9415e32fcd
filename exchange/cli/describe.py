"""What a file of the ceremonies says, as an object to print. Nothing here decides whether it is to be trusted."""

from typing import Any

from exchange.cli.output import utc
from keys.digests import charter_digest, epoch_key_id, fingerprint, key_id
from schemas.canon import encode
from schemas.charter import CHARTER, Charter, Relay
from schemas.endings import Revocation, Withdrawal
from schemas.files import CharterSignature, FileKind, RootPublic
from schemas.statement import DirectoryEntry, SignedKeyRequest, SigningKey

Description = dict[str, Any]


def describe(kind: FileKind[Any], value: object) -> Description:
    """Kind, member, validity and fingerprint of the object in a file."""
    match value:
        case RootPublic():
            told = {"member": value.member, "fingerprint": fingerprint(key_id(value.keys))}
        case Relay():
            told = describe_relay(value)
        case SignedKeyRequest():
            request = value.request
            told = {
                "member": request.member,
                "created": utc(request.created),
                "fingerprint": fingerprint(key_id(request.keys)),
            }
        case CharterSignature():
            told = {"member": value.signature.signer, "charter": fingerprint(value.charter)}
        case Charter():
            told = describe_charter(value)
        case DirectoryEntry():
            told = _describe_entry(value)
        case _:
            raise TypeError(f"no description of {type(value).__name__}")
    return {"kind": kind.name, **told}


def describe_charter(charter: Charter) -> Description:
    """A charter or its draft; the fingerprint is what the members compare."""
    told: Description = {
        "fingerprint": fingerprint(charter_digest(encode(CHARTER, charter))),
        "version": charter.version,
    }
    if charter.previous is not None:
        told["previous"] = fingerprint(charter.previous)
    if charter.handover is not None:
        told["handover"] = {"size": charter.handover.size, "root_hash": fingerprint(charter.handover.root_hash)}
    return told | {
        "created": utc(charter.created),
        "chairmanship": {
            "member": charter.chairmanship.member,
            "from": utc(charter.chairmanship.start),
            "until": utc(charter.chairmanship.end),
        },
        "quorums": {"amend": charter.quorums.amend, "witness": charter.quorums.witness},
        "editions": list(charter.editions),
        "members": [
            {
                "code": member.code,
                "role": member.role.name.lower(),
                "names": {name.language: name.text for name in member.names},
                "root": fingerprint(key_id(member.root)),
            }
            for member in charter.members
        ],
        "relays": [describe_relay(relay) for relay in charter.relays],
    }


def describe_relay(relay: Relay) -> Description:
    """A relay's identity."""
    return {
        "name": relay.name,
        "fingerprint": fingerprint(key_id(relay.keys)),
        "tls_digests": [digest.hex() for digest in relay.tls_digests],
    }


def _describe_entry(entry: DirectoryEntry) -> Description:
    signers = {"signed_by": [signature.signer for signature in entry.signatures]}
    statement = entry.statement
    if isinstance(statement, Charter):
        return {**signers, **describe_charter(statement)}
    told = {"statement": entry.kind.name.lower().replace("_", "-"), "member": statement.member}
    if isinstance(statement, Withdrawal):
        told |= {"target": statement.target.name.lower(), "id": statement.id.hex()}
    elif isinstance(statement, Revocation):
        reason = statement.reason.name.lower().replace("_", "-")
        told |= {"fingerprint": fingerprint(statement.key_id), "reason": reason, "created": utc(statement.created)}
        if statement.compromised_at is not None:
            told["compromised_at"] = utc(statement.compromised_at)
    else:
        if isinstance(statement, SigningKey):
            digest = key_id(statement.keys)
        else:
            told["statement"] += f" {statement.number}"
            digest = epoch_key_id(statement.keys)
        told |= {
            "fingerprint": fingerprint(digest),
            "valid_from": utc(statement.valid_from),
            "valid_until": utc(statement.valid_until),
        }
    return {**told, **signers}
