"""The judge of evidence files: it raises nothing but its own error, and more evidence never proves less."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.audit.claims import Broken, Claim, Finding
from exchange.audit.evidence import Judgement, NoEvidence, judge_evidence
from exchange.audit.report import report
from schemas.canon import decode, encode
from schemas.errors import DecodeError
from schemas.evidence import EVIDENCE, Evidence, LoggedEntry, encode_evidence, read_evidence
from schemas.ids import Digest, MemberId
from schemas.receipt import Outcome
from tests.support.evidence import Case, Kept, claims, judge, of, subject
from tests.support.wire import refusal
from tests.support.world import World


@pytest.fixture(scope="module")
def sample() -> tuple[World, bytes]:
    """A file with something of everything, small enough to be changed at every place."""
    case = Case(World(codes=("KAZ", "MNG", "UZB")))
    kept, head = full(case)
    return case.world, case.file(kept, heads=[head])


def full(case: Case) -> tuple[Kept, Kept]:
    """An envelope that one of two has, and the head that names it."""
    kept = case.send("KAZ", ["MNG", "UZB"])
    head = case.head("KAZ", "UZB")
    case.answer(kept, "MNG")
    case.answer(head, "UZB")
    return kept, head


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_changed_file_is_no_evidence_or_names_a_broken_claim(
    sample: tuple[World, bytes], data: st.DataObject
) -> None:
    """Nothing else is raised. What is not signed (who wrote it and when) may be changed, and no finding rests on it."""
    world, file = sample
    place = data.draw(st.integers(0, min(len(file), 40_000) - 1))
    value = data.draw(st.integers(0, 255))
    changed = file[:place] + bytes([value]) + file[place + 1 :]
    try:
        told = judge_evidence(changed, world.charter_digest)
    except NoEvidence:
        return
    if told.broken is None:
        # The first counts who cosigned the directory: a line by nobody who is known counts for nothing.
        assert told.findings[1:] == judge(world, file).findings[1:]


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_bytes_of_any_kind_are_no_evidence(sample: tuple[World, bytes], data: bytes) -> None:
    for given_bytes in (data, b"cbm/1 evidence\n" + data):
        with pytest.raises(NoEvidence):
            judge_evidence(given_bytes, sample[0].charter_digest)


def test_a_file_that_is_cut_off_anywhere_is_refused(sample: tuple[World, bytes]) -> None:
    world, file = sample
    for end in range(0, len(file), 997):
        try:
            assert judge_evidence(file[:end], world.charter_digest).broken is not None
        except NoEvidence:
            continue


def test_more_evidence_takes_no_claim_away(world: World) -> None:
    """Each step adds something to the file; only what says that something is missing goes."""
    case = Case(world)
    kept = case.send("KAZ", ["MNG", "UZB"])
    head = case.head("KAZ", "UZB")
    case.answer(head, "UZB")
    passed = case.accept(world.forward(kept.sealed, "MNG", ["XAA"]))
    receipt, index = kept.receipt, kept.index
    kept.receipt, kept.index = None, None
    steps = [case.file(kept)]
    kept.receipt = receipt
    steps.append(case.file(kept))
    kept.index = index
    steps.append(case.file(kept))
    case.answer(kept, "MNG")
    steps.append(case.file(kept))
    case.answer(kept, "UZB", outcome=Outcome.REFUSED)
    steps.append(case.file(kept))
    steps += [case.file(kept, passed), case.file(kept, passed, heads=[head])]
    before: set[Finding] = set()
    for file in steps:
        told = judge(world, file)
        assert told.broken is None
        positive = {finding for finding in told.findings if not finding.claim.of_absence}
        assert before <= positive
        assert before != positive
        before = positive


def test_two_answers_of_one_recipient_are_both_told(world: World) -> None:
    case = Case(world)
    kept = case.send("KAZ", ["MNG"])
    case.answer(kept, "MNG")
    case.answer(kept, "MNG", outcome=Outcome.REFUSED)
    told = judge(world, case.file(kept))
    assert (len(of(told, Claim.DELIVERED)), len(of(told, Claim.NOT_TAKEN))) == (1, 1)


def test_nothing_is_judged_after_the_first_broken_claim(world: World) -> None:
    case = Case(world)
    first, second = case.send("KAZ", ["MNG"]), case.send("KAZ", ["MNG"], signer=world.nodes["UZB"])
    told = judge(world, case.file(first, second, provision=subject(first.sealed)))
    assert told.broken is not None
    assert (told.broken.claim, claims(told)["sent"]) == (Claim.SENT, 1)


def test_an_envelope_of_another_message_does_not_belong(world: World) -> None:
    case = Case(world)
    first, other = case.send("KAZ", ["MNG"]), case.send("KAZ", ["MNG"])
    told = judge(world, case.file(first, other))
    assert told.broken is not None
    assert "another Provision" in told.broken.sentence


def test_an_entry_that_is_not_in_the_log(world: World) -> None:
    case = Case(world)
    kept = case.send("KAZ", ["MNG"])
    note = case.log.proof(0).checkpoints[0]
    entry = LoggedEntry(b"\x80", 0, (), note)
    data = with_entries(case.file(kept), (entry,))
    broken = judge(world, data).broken
    assert broken is not None
    assert broken.claim is Claim.LOGGED


def with_entries(data: bytes, entries: tuple[LoggedEntry, ...]) -> bytes:
    evidence, directory = read_evidence(data)
    return encode_evidence(replace(evidence, entries=entries), directory)


@pytest.mark.parametrize("about", [(None, None), (Digest(bytes(32)), MemberId("MNG"))])
def test_a_file_is_about_one_thing(about: tuple[Digest | None, MemberId | None]) -> None:
    with pytest.raises(DecodeError):
        Evidence(MemberId("KAZ"), 0, *about, b"n", ())


def test_what_is_read_is_written_again_byte_for_byte(sample: tuple[World, bytes]) -> None:
    evidence, entries = read_evidence(sample[1])
    assert encode_evidence(evidence, entries) == sample[1]
    assert decode(EVIDENCE, encode(EVIDENCE, evidence), 10**8) == evidence
    assert refusal(read_evidence, sample[1] + b"\x00").value == "malformed"


class _Tags(HTMLParser):
    """Every element of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


def test_the_report_escapes_all_that_others_wrote() -> None:
    nasty = "<script>alert('x')</script><img src=x onerror=y>&\"'"
    finding = Finding(Claim.SENT, nasty, MemberId(nasty), nasty)
    absent = Finding(Claim.NOT_DELIVERED, nasty, None)
    told = Judgement(MemberId(nasty), 0, nasty, (finding, absent), Broken(Claim.ACCEPTED, nasty))
    page = report(told, nasty, nasty)
    parser = _Tags()
    parser.feed(page)
    assert {"script", "img", "a", "link", "iframe"}.isdisjoint(parser.seen)
    assert "<script" not in page
    assert re.search(r"""(src|href|onerror)=['"]?x""", re.sub("&lt;.*?&gt;", "", page)) is None
    assert (page.count("does not hold"), page.count("is not in this file")) == (1, 1)


def test_the_report_says_what_was_judged(sample: tuple[World, bytes]) -> None:
    world, file = sample
    told = judge(world, file)
    page = report(told, "f1f2", "d1d2")
    assert all(text in page for text in ("f1f2", "d1d2", "Every claim in this file holds", told.subject))
    assert page.count("<tr><td>") == len(told.findings)
