"""Sealing and opening in memory, against the sum of the library calls that they cannot do without."""

from collections.abc import Callable, Iterable
from typing import Final

from exchange.bench.parties import NOW, Parties, make_parcel, make_parties, places
from exchange.bench.result import Result, at_most, medians
from exchange.node.inbound import Payload, judge, unwrap
from exchange.node.outbound import seal_header, seal_payload
from keys import primitives
from keys.digests import header_digest, sha256
from keys.origin import unbounded
from keys.primitives import random_bytes
from schemas.canon import decode, encode
from schemas.contexts import Context
from schemas.envelope import Header, decode_header, encode_header
from schemas.ids import MemberId
from schemas.limits import CHUNK, MAX_SMALL_OBJECT, MIB
from schemas.receipt import RECEIPT, SIGNED_RECEIPT, Receipt, SignedReceipt

_RECORD: Final = 1024
_PARTIES: Final = 28


def sealing_results() -> list[Result]:
    """Seal 1 KiB to 1, 8 and 27 recipients, 1 MiB to one; open 1 KiB and 1 MiB."""
    parties = make_parties(_PARTIES)
    results = [
        _seal_result(parties, recipients, _RECORD, goal, 60 // recipients + 3)
        for recipients, goal in ((1, 1.3), (8, 1.2), (27, 1.15))
    ]
    results.append(_seal_result(parties, 1, MIB, 1.2, 4))
    results.append(_open_result(parties, _RECORD, 1.3, 40))
    results.append(_open_result(parties, MIB, 1.2, 4))
    return results


def seal(parties: Parties, recipients: tuple[MemberId, ...], record: bytes) -> tuple[Header, bytes]:
    """A Provision over the record, the body, and the header for these recipients."""
    parcel, manifest = make_parcel(parties, recipients, record)
    content_key = random_bytes(32)
    body = b"".join(seal_payload(content_key, parties.directory.size, manifest, (), ()))
    header = seal_header(
        parties.sender, parties.directory, parcel, places(recipients), content_key, len(body), sha256(body)
    )
    return header, body


def _seal_result(parties: Parties, count: int, size: int, goal: float, repeats: int) -> Result:
    recipients = parties.recipients(count)
    record = random_bytes(size)
    ours, base = medians(
        [lambda: encode_header(seal(parties, recipients, record)[0]), _seal_calls(parties, recipients, size)], repeats
    )
    name = f"seal-{_name(size)}-x{count}"
    return at_most(name, ours, base, goal, "us", "sealing / its library calls alone")


def _seal_calls(parties: Parties, recipients: tuple[MemberId, ...], size: int) -> Callable[[], None]:
    """Two signatures, two digests, two derivations, the chunks, and a wrap for each recipient."""
    seed, data, message = parties.sender.ed25519_seed, random_bytes(size), random_bytes(600)
    keys = [parties.directory.epoch_at(member, NOW).keys for member in recipients]

    def calls() -> None:
        primitives.ed25519_sign(seed, message)
        primitives.ed25519_sign(seed, message)
        sha256(data)
        sealed = _aead(primitives.hkdf(message[:32], b"a"), data)
        primitives.hkdf(message[:32], b"b")
        sha256(sealed)
        for key in keys:
            primitives.hpke_seal(key.mlkem768, key.x25519, message[:120], message[:88])

    return calls


def _open_result(parties: Parties, size: int, goal: float, repeats: int) -> Result:
    recipient = parties.recipients(1)[0]
    header, body = seal(parties, (recipient,), random_bytes(size))
    raw, receipt = encode_header(header), _receipt(parties, header)
    epoch = parties.epochs[recipient]

    def ours() -> None:
        parsed = decode_header(raw)
        signed = decode(SIGNED_RECEIPT, receipt, 2 * MAX_SMALL_OBJECT)
        judged, wrap = judge(parsed, signed, parties.directory, recipient, NOW, unbounded)
        payload = Payload(judged, unwrap(judged, wrap, epoch), [body])
        payload.content()
        payload.finish()

    calls = _open_calls(parties, header, body, size)
    taken, base = medians([ours, calls], repeats)
    return at_most(f"open-{_name(size)}", taken, base, goal, "us", "opening / its library calls alone")


def _open_calls(parties: Parties, header: Header, body: bytes, size: int) -> Callable[[], None]:
    """Three verifications (receipt, header, Provision), the wrap, two derivations, the chunks, two digests."""
    wrap, message = header.wraps[0], random_bytes(600)
    public, seed = parties.sender.public.ed25519, parties.sender.ed25519_seed
    signature = primitives.ed25519_sign(seed, message)
    key = parties.directory.epoch_at(wrap.recipient, NOW).keys
    sealed = primitives.hpke_seal(key.mlkem768, key.x25519, message[:120], message[:88])
    epoch, data = parties.epochs[wrap.recipient].seed, random_bytes(size)

    def calls() -> None:
        for _ in range(3):
            primitives.ed25519_verify(public, message, signature)
        primitives.hpke_open(epoch, message[:120], sealed)
        _aead(primitives.hkdf(message[:32], b"a"), data)
        primitives.hkdf(message[:32], b"b")
        sha256(data)
        sha256(body)

    return calls


def _receipt(parties: Parties, header: Header) -> bytes:
    core = header.core
    body = encode(
        RECEIPT,
        Receipt(
            relay=parties.relay.key_id,
            sender=core.sender,
            envelope=core.id,
            header_digest=header_digest(header),
            body_digest=core.body_digest,
            body_size=core.body_size,
            time=NOW,
            directory_size=parties.directory.size,
            log_by=NOW + 60,
        ),
    )
    return encode(SIGNED_RECEIPT, SignedReceipt(body, parties.relay.sign_bytes(Context.RECEIPT, body)))


def _aead(key: bytes, data: bytes) -> bytes:
    cipher = primitives.ChunkCipher(key)
    chunks: Iterable[int] = range(0, max(len(data), 1), CHUNK)
    return b"".join([cipher.seal(start.to_bytes(12, "big"), data[start : start + CHUNK]) for start in chunks])


def _name(size: int) -> str:
    return f"{size // MIB}m" if size >= MIB else f"{size // 1024}k"
