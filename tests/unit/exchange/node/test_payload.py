"""Reading a body: any division into pieces gives the same content, and every defect is one refusal."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.consent.decision import Decision
from exchange.node.inbound import Content, Judged, Payload, Unreadable, unwrap
from keys.digests import sha256
from keys.sealing import body_key
from keys.stream import seal_stream
from schemas.content import Transport, content_size, payload_prefix, read_manifest
from schemas.limits import CHUNK
from tests.support.world import Sealed, World

WORLD = World()
LARGE = bytes(range(251)) * 700
SMALL = b"a short one"


def with_files(**steps: object) -> Sealed:
    listed = (WORLD.attachment(SMALL, "a.txt"), WORLD.attachment(LARGE, "b.bin"), WORLD.attachment(b"", "c.txt"))
    manifest = WORLD.manifest(attachments=listed)
    return WORLD.envelope(["MNG"], manifest=manifest, attachments=SMALL + LARGE, **steps)  # type: ignore[arg-type]  # as its own


SEALED = with_files()


def judged(sealed: Sealed) -> Judged:
    return Judged(WORLD.verified(sealed), WORLD.receipt(sealed).receipt, Decision((), (), ()))


def payload(sealed: Sealed, pieces: Iterator[bytes]) -> Payload:
    facts = judged(sealed)
    return Payload(facts, sealed.secrets["MNG"], pieces)


def read(sealed: Sealed, pieces: Iterator[bytes] | None = None) -> tuple[Content, list[bytes]]:
    body = payload(sealed, pieces or iter([sealed.body]))
    content = body.content()
    files = [b"".join(body.attachment(attachment)) for attachment in content.manifest.attachments]
    body.finish()
    return content, files


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    ends = sorted({min(place, len(data)) for place in places} | {len(data)})
    start = 0
    for end in ends:
        yield data[start:end]
        start = end


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3 * CHUNK), max_size=8))
def test_any_division_into_pieces_gives_the_same_content(places: list[int]) -> None:
    content, files = read(SEALED, cut(SEALED.body, places))
    assert content.raw == SEALED.manifest
    assert files == [SMALL, LARGE, b""]


@pytest.mark.parametrize("around", [CHUNK + 16, 2 * (CHUNK + 16)])
@pytest.mark.parametrize("step", [-1, 0, 1])
def test_pieces_that_end_beside_a_chunk(around: int, step: int) -> None:
    assert read(SEALED, cut(SEALED.body, [around + step]))[1] == [SMALL, LARGE, b""]


def test_byte_by_byte() -> None:
    sealed = WORLD.envelope(["MNG"])
    content, files = read(sealed, (sealed.body[i : i + 1] for i in range(len(sealed.body))))
    assert (content.raw, files) == (sealed.manifest, [])


def test_it_may_not_be_finished_before_it_was_read() -> None:
    with pytest.raises(Unreadable):
        payload(SEALED, iter([SEALED.body])).finish()


def test_it_may_not_be_finished_before_the_attachments_were_read() -> None:
    body = payload(SEALED, iter([SEALED.body]))
    body.content()
    with pytest.raises(Unreadable):
        body.finish()


def with_plain(change: Callable[[bytes, bytes], bytes]) -> Sealed:
    """An envelope whose plaintext is made by `change(prefix and content, padding)`; all digests fit."""
    manifest = WORLD.manifest()
    plain = WORLD.payload(manifest)
    used = len(payload_prefix(Transport(WORLD.directory.size, content_size(manifest, ())), manifest))
    return WORLD.envelope(["MNG"], manifest=manifest, payload=change(plain[:used], plain[used:]))


DEFECTS: dict[str, Callable[[], Sealed]] = {
    "padding-not-zero": lambda: with_plain(lambda content, padding: content + padding[:-1] + b"\x01"),
    "padding-missing": lambda: with_plain(lambda content, padding: content),
    "padding-too-short": lambda: with_plain(lambda content, padding: content + padding[:-1]),
    "padding-too-long": lambda: with_plain(lambda content, padding: content + padding + b"\x00"),
    "empty-plaintext": lambda: with_plain(lambda content, padding: b""),
    "length-of-a-part-is-zero": lambda: with_plain(lambda content, padding: bytes(4) + content + padding),
    "length-of-a-part-is-huge": lambda: with_plain(lambda content, padding: b"\xff" * 4 + content + padding),
    "content-size-larger": lambda: WORLD.envelope(
        ["MNG"], manifest=SEALED.manifest, payload=WORLD.payload(SEALED.manifest, SMALL + LARGE, content_size=10**6)
    ),
    "an-attachment-of-other-bytes": lambda: WORLD.envelope(
        ["MNG"], manifest=SEALED.manifest, attachments=SMALL + LARGE[:-1] + b"?"
    ),
    "an-attachment-too-few": lambda: WORLD.envelope(["MNG"], manifest=SEALED.manifest, attachments=SMALL),
    "attachments-exchanged": lambda: WORLD.envelope(["MNG"], manifest=SEALED.manifest, attachments=LARGE + SMALL),
    "another-manifest-than-committed": lambda: WORLD.envelope(
        ["MNG"],
        manifest=WORLD.manifest(),
        provisions=[WORLD.signed_provision(WORLD.manifest(), ("KAZ",), ["MNG"])],
    ),
    "digest-of-another-body": lambda: with_files(core={"body_digest": sha256(b"another")}),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_one_refusal(name: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(DEFECTS[name]())
    assert caught.value.rule == "unreadable"


@pytest.mark.parametrize("where", [0, 20_000, -1])
def test_one_bit_of_the_ciphertext_changed(where: int) -> None:
    body = bytearray(SEALED.body)
    body[where] ^= 1
    with pytest.raises(Unreadable):
        read(SEALED, iter([bytes(body)]))


@pytest.mark.parametrize("size", [0, 1, 16, CHUNK + 16, -1, -(CHUNK + 16)])
def test_the_ciphertext_ends_early(size: int) -> None:
    with pytest.raises(Unreadable):
        read(SEALED, iter([SEALED.body[:size]]))


def test_more_than_the_sender_signed() -> None:
    with pytest.raises(Unreadable, match="longer"):
        read(SEALED, iter([SEALED.body, b"\x00"]))


def test_another_key_than_the_one_committed_to() -> None:
    sealed = WORLD.envelope(["MNG"], core={"key_commitment": sha256(b"another key")})
    wrap = sealed.header.wrap_for(sealed.header.recipients[0])
    assert wrap is not None
    with pytest.raises(Unreadable):
        unwrap(judged(sealed), wrap, WORLD.epoch_of(wrap))


def test_a_manifest_names_other_providers_than_the_provision() -> None:
    manifest = WORLD.manifest(("MNG",))
    sealed = WORLD.envelope(
        ["UZB"], manifest=manifest, provisions=[WORLD.signed_provision(manifest, ("KAZ",), ["UZB"])]
    )
    body = Payload(judged(sealed), sealed.secrets["UZB"], iter([sealed.body]))
    with pytest.raises(Unreadable, match="not the one that the providers signed"):
        body.content()
    assert read_manifest(sealed.manifest).providers == ("MNG",)


def test_stream_and_payload_agree_on_the_key() -> None:
    key = SEALED.content_key
    again = b"".join(seal_stream(body_key(key), [WORLD.payload(SEALED.manifest, SMALL + LARGE)]))
    assert again == SEALED.body
