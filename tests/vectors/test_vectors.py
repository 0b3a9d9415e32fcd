"""Run every vector, and write all of them a second time."""

import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from exchange.consent.authorise import authorise
from exchange.consent.decision import Ledger, Use
from exchange.delivery.times import time_fault
from exchange.node.inbound import Judged, Payload, Unreadable, unwrap
from keys.checkpoint import Checkpoint
from keys.cosign import cosigned_message
from keys.digests import (
    charter_digest,
    content_commitment,
    epoch_key_id,
    header_digest,
    key_id,
    sha256,
)
from keys.directory import Directory, begin, extend
from keys.errors import BadSignature, Undecryptable, Untrusted
from keys.identity import EpochIdentity
from keys.merkle import MemoryTree, consistency_proof, inclusion_proof, tree_root
from keys.note import KeyType, NoteKey, note_message
from keys.origin import origins_of, unbounded
from keys.sealing import body_key, key_commitment
from keys.stream import open_stream, seal_stream
from keys.tiles import entry_hash, log_entry
from keys.verify import VerifiedHeader, verify_acknowledgement, verify_bytes, verify_header, verify_receipt
from schemas import consent, relayapi
from schemas.charter import HybridPublic
from schemas.consent import SignedStatement
from schemas.content import padded_size
from schemas.contexts import Context, framed
from schemas.envelope import Header, decode_header
from schemas.errors import DecodeError, Reason
from schemas.ids import Digest, GrantId, KeyId, MemberId, ProvisionId
from schemas.receipt import SignedAcknowledgement, SignedReceipt
from schemas.statement import DirectoryEntry, KemPublic, read_entry
from schemas.terms import Suite
from schemas.wrap import wrap_info
from tests.support.objects import NAMES, read, write
from tests.vectors.gen.kept import FOLDER, Kept
from tests.vectors.gen.make_vectors import WORLD, make
from tests.vectors.gen.model import ACCEPTED, STAGES

Document = dict[str, Any]
FILES: Final = sorted(path for stage in STAGES for path in (FOLDER / stage).glob("*.json"))


def load(path: Path) -> Document:
    document: Document = json.loads(path.read_text("utf-8"))
    return document


@cache
def world() -> Document:
    return load(FOLDER / WORLD)


@cache
def directory() -> Directory:
    first, *others = [read_entry(bytes.fromhex(entry)) for entry in world()["entries"]]
    return extend(begin(first, Digest(bytes.fromhex(world()["charter_digest"]))), others)


def data(vector: Document, name: str = "hex") -> bytes:
    return bytes.fromhex(vector[name])


def decoded(vector: Document) -> str:
    try:
        value = read(vector["object"], data(vector))
    except DecodeError as refused:
        return refused.reason.value
    assert write(vector["object"], value) == data(vector)
    return ACCEPTED


def log_tree(vector: Document) -> MemoryTree:
    return MemoryTree(entry_hash(bytes.fromhex(entry)) for entry in vector["entries"])


def checkpoint(vector: Document) -> Checkpoint:
    return Checkpoint(vector["origin"], vector["size"], Digest(data(vector, "root")))


DERIVE: Final[dict[str, Callable[[Document], bytes | int]]] = {
    "framed": lambda v: framed(Context(v["label"]), data(v, "part"), b""),
    "key-id": lambda v: key_id(HybridPublic(data(v, "ed25519"), data(v, "mldsa65"))),
    "epoch-key-id": lambda v: epoch_key_id(KemPublic(data(v, "mlkem768"), data(v, "x25519"))),
    "header-digest": lambda v: header_digest(Header(data(v, "core"), data(v, "wraps"), bytes(64))),
    "charter-digest": lambda v: charter_digest(data(v, "charter")),
    "content-commitment": lambda v: content_commitment(data(v, "manifest")),
    "key-commitment": lambda v: key_commitment(data(v, "content_key")),
    "body-key": lambda v: body_key(data(v, "content_key")),
    "wrap-info": lambda v: wrap_info(
        Suite(v["suite"]), sha256(data(v, "core")), MemberId(v["recipient"]), KeyId(data(v, "key_id"))
    ),
    "padded-size": lambda v: padded_size(v["size"]),
    "leaf-hash": lambda v: entry_hash(data(v, "entry")),
    "log-entry": lambda v: log_entry(bytes(v["size"])),
    "tree-root": lambda v: tree_root(len(v["entries"]), log_tree(v)),
    "inclusion-proof": lambda v: b"".join(inclusion_proof(v["index"], len(v["entries"]), log_tree(v))),
    "consistency-proof": lambda v: b"".join(consistency_proof(v["old"], len(v["entries"]), log_tree(v))),
    "note-key-id": lambda v: NoteKey(v["name"], KeyType(data(v, "type")), data(v, "public")).key_hash,
    "checkpoint-text": lambda v: checkpoint(v).text.encode(),
    "note-message": lambda v: note_message(checkpoint(v).text, NoteKey(v["origin"], KeyType.MLDSA65, bytes(1952))),
    "cosigned-message": lambda v: cosigned_message(
        checkpoint(v),
        NoteKey(v["cosigner"], KeyType(data(v, "type")), bytes(32 if v["type"] == "04" else 1312)),
        v["time"],
    ),
    "body-stream": lambda v: sha256(b"".join(seal_stream(data(v, "key"), [bytes(v["size"])]))),
}


def derived(vector: Document) -> str | int:
    value = DERIVE[vector["object"]](vector)
    return value.hex() if isinstance(value, bytes) else value


def verified(vector: Document) -> str:
    thing, now = read(vector["object"], data(vector)), vector["now"]
    try:
        match thing:
            case Header():
                verify_header(thing, directory(), now)
            case SignedReceipt():
                verify_receipt(thing, directory())
            case SignedAcknowledgement():
                verify_acknowledgement(thing, directory(), now)
            case SignedStatement(body, signature):
                holder, key, value = signature.signer, signature.key_id, signature.value
                verify_bytes(directory(), holder, key, now, value, Context.HOLDER_STATEMENT, body)
            case DirectoryEntry():
                extend(directory(), [thing])
            case _:
                raise TypeError(vector["object"])
    except BadSignature:
        return "bad-signature"
    except Untrusted:
        return "untrusted"
    return ACCEPTED


def header(vector: Document, name: str = "hex") -> VerifiedHeader:
    """A header of a later stage: its signature holds."""
    return verify_header(decode_header(data(vector, name)), directory(), world()["now"])


def timed(vector: Document) -> str:
    fault = time_fault(header(vector), directory(), vector["now"])
    return fault.rule.value if fault else ACCEPTED


def authorised(vector: Document) -> list[str]:
    uses = frozenset(
        Use(MemberId("KAZ"), GrantId(bytes.fromhex(grant)), MemberId("XAA"), ProvisionId(bytes([number]) * 16))
        for number, grant in enumerate(vector["used_by_others"])
    )
    head = header(vector)
    after = extend(directory(), [read_entry(bytes.fromhex(entry)) for entry in vector["entries"]])
    origins = origins_of(head.core.origins, after, unbounded)
    decision = authorise(head, after, Ledger(uses=uses, origins=origins), vector["now"])
    return sorted({refusal.rule.value for refusal in decision.refusals})


def opened(vector: Document) -> str:
    head = header(vector, "header")
    wrap = head.header.wrap_for(MemberId(vector["recipient"]))
    assert wrap is not None
    (seed,) = world()["epoch_seeds"][vector["recipient"]]
    # What a receipt and a decision say is no matter of opening.
    judged = Judged(head, receipt=None, decision=None)  # type: ignore[arg-type]
    try:
        secret = unwrap(judged, wrap, EpochIdentity(bytes.fromhex(seed)))
        payload = Payload(judged, secret, [data(vector, "body")])
        content = payload.content()
        for attachment in content.manifest.attachments:
            list(payload.attachment(attachment))
        payload.finish()
    except Unreadable:
        return "undecryptable"
    assert content.raw == data(vector, "manifest")
    return ACCEPTED


def streamed(vector: Document) -> str:
    try:
        plain = b"".join(open_stream(data(vector, "key"), [data(vector)]))
    except Undecryptable:
        return "undecryptable"
    assert plain == data(vector, "plaintext")
    return ACCEPTED


RUN: Final[dict[str, Callable[[Document], object]]] = {
    "decode": decoded,
    "derive": derived,
    "signature": verified,
    "times": timed,
    "authorise": authorised,
    "open": opened,
    "stream": streamed,
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_vector(path: Path) -> None:
    vector = load(path)
    assert vector["stage"] == path.parent.name
    assert path.stem.startswith(vector["object"])
    assert RUN[vector["stage"]](vector) == vector["expect"]


def test_there_are_vectors_of_every_stage_and_every_reason() -> None:
    vectors = [load(path) for path in FILES]
    stages = Counter(vector["stage"] for vector in vectors)
    assert set(stages) == set(STAGES) == set(RUN)
    defective = [v for v in vectors if v["stage"] != "derive" and v["expect"] not in (ACCEPTED, [])]
    assert len(defective) >= 40
    assert {v["expect"] for v in vectors if v["stage"] == "decode"} == {ACCEPTED, *(reason.value for reason in Reason)}


def test_there_is_a_valid_vector_of_every_object_and_of_every_kind_of_frame_and_of_message() -> None:
    accepted = [v for v in map(load, FILES) if v["stage"] == "decode" and v["expect"] == ACCEPTED]
    assert {v["object"] for v in accepted} == set(NAMES)
    for of, kinds in (("frame", relayapi.FRAMES), ("consent-message", consent.CONSENT_MESSAGES)):
        assert {data(v)[0] for v in accepted if v["object"] == of} == set(kinds.structs)


def test_the_vectors_are_written_again_byte_for_byte() -> None:
    kept = Kept.load()
    before = dict(kept.values)
    made = make(kept)
    assert kept.values == before, "something was sealed or signed anew: run the generator"
    assert set(made) == {WORLD, *(f"{path.parent.name}/{path.name}" for path in FILES)}
    changed = [name for name, content in made.items() if (FOLDER / name).read_text("utf-8") != content]
    assert changed == []
