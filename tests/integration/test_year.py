"""A simulated year of 28 states: weekly epochs, three revocations, two admissions, another relay; and what has to hold.

Every node has its real folder, keys, store and loops, every relay its own; the clock is put forward, and what stands
for the network is a call. The year is lived once, and each test looks at it from another side.
"""

import asyncio
import shutil
import statistics
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from exchange.demo.site import PASSPHRASE
from exchange.node.notices import Notices
from exchange.storage.relay_sqlite import read_entries
from keys.checkpoint import parse_signed
from keys.epochs import EPOCH_GRACE, EPOCH_TERM, EPOCHS_AHEAD
from keys.errors import KeyFault
from keys.keystore import Keystore
from keys.merkle import MemoryTree, tree_root
from keys.quorum import cosigner_keys
from keys.tiles import entry_hash
from keys.verify import verify_header, verify_receipt
from schemas.canon import decode
from schemas.charter import Handover
from schemas.envelope import decode_header
from schemas.ids import MemberId
from schemas.limits import DAY, EXPIRY_MARGIN, HOUR, MAX_SMALL_OBJECT
from schemas.receipt import SIGNED_RECEIPT
from tests.support.once import verified_once
from tests.support.thief import halves_in, plaintext
from tests.support.world import Sealed
from tests.support.year import FastLoop, Year
from tests.support.year_book import BEGIN, Plan
from tests.support.year_calendar import CUT, FOUNDERS, LETTERS, NEWCOMERS, OFF, RELAY_REPLACED, Calendar
from tests.support.year_halves import all_files, found_in, key_files
from tests.support.year_pace import LEAST, MOST, checkpoints_by_day, spread
from tests.support.year_post import Fate, alarms, answers, fates, outcomes, sealed_as

pytestmark = [pytest.mark.timeout(1200)]

MEMBERS: Final = (*FOUNDERS, *NEWCOMERS.values())


class Judged(NamedTuple):
    """An answer: when it was given (Unix seconds), and whether the relay's log shows its sender that it counts."""

    fate: Fate
    time: int
    believed: bool


class Lived:
    """A year that is over; its folders are there, and nothing runs."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.year = Year(folder, plan)
        self.calendar = Calendar(self.year)
        with verified_once(), asyncio.Runner(loop_factory=FastLoop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        try:
            await self.calendar.live()
            self.directory = self.year.directory
            self.fates = [fate for node in self.year.nodes.values() for fate in fates(self.year.post, node)]
            self.judged = [judged async for judged in self._judged_again()]
        finally:
            await self.year.end()

    async def _judged_again(self) -> AsyncIterator[Judged]:
        """All answers by keys that have ended: whether the senders' nodes, given them once more, believe them."""
        nodes = self.year.nodes
        ended = {(revoked.member, revoked.key) for revoked in self.year.book.revoked}
        given = {code: answers(node) for code, node in nodes.items()}
        for fate in self.fates:
            answer = given[fate.recipient].get(fate.letter.id)
            if answer is None or (fate.recipient, answer.acknowledgement.key_id) not in ended:
                continue
            believed = True
            try:
                await Notices(nodes[fate.letter.sender].wheels.parts)._verify(answer)
            except KeyFault:
                believed = False
            yield Judged(fate, answer.acknowledgement.time, believed)

    def unproved(self) -> list[Fate]:
        """What arrived and was answered, and the sender believed no answer: by a key that ended before it saw one."""
        inboxes = self.year.book.inboxes
        return [fate for fate in self.fates if fate.state == "expired" and fate.letter.id in inboxes[fate.recipient]]

    def of(self, name: str) -> Fate:
        """The fate of one of the named letters."""
        (fate,) = [fate for fate in self.fates if fate.letter is self.calendar.letters[name]]
        return fate

    def accepted(self) -> list[Sealed]:
        """Every envelope that a relay took, as who listens on the line has it."""
        items = (item for relay in self.year.relays for item in relay.accepted)
        return [Sealed(item.header, item.body, b"", b"", b"", {}) for item in items]

    def ends(self, item: Sealed, member: str) -> int:
        """When the half that opens an envelope for a member is destroyed."""
        wrap = item.header.wrap_for(MemberId(member))
        assert wrap is not None
        return self.directory.epoch(wrap.recipient, wrap.key_id).destroy_at

    def shown_sizes(self) -> dict[str, list[int]]:
        """Sizes of the checkpoints of each log of each relay, in turn."""
        sizes: defaultdict[str, list[int]] = defaultdict(list)
        for shown in self.year.book.shown:
            sizes[shown.published.checkpoint.origin].append(shown.published.checkpoint.size)
        return sizes


FINER: Final = Plan(letters=8, refresh=1, share=1.0)


# The finer year takes minutes of a core: with the long runs.
@pytest.fixture(
    scope="module", params=[pytest.param(Plan(), id="year"), pytest.param(FINER, id="finer", marks=pytest.mark.soak)]
)
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """The year."""
    folder = tmp_path_factory.mktemp("year")
    yield Lived(folder, request.param)
    shutil.rmtree(folder)


def test_the_year_had_what_it_was_to_have(lived: Lived) -> None:
    year, directory = lived.year, lived.directory
    assert set(directory.charter.voters()) == set(MEMBERS)
    assert [len(record.charter.voters()) for record in directory.charters] == [26, 27, 27, 28]
    assert len(year.relays) == 2
    assert {revoked.member for revoked in year.book.revoked} == {"XAH", "XAI", "XAJ"}
    # An epoch a week, and as many ahead as are published when one begins.
    weeks = {code: len({record.valid_from for record in directory.epochs[MemberId(code)]}) for code in FOUNDERS}
    whole = 1 + year.day // 7 + EPOCHS_AHEAD
    assert {code: count for code, count in weeks.items() if code not in {*OFF, *CUT}} == dict.fromkeys(
        set(FOUNDERS) - {*OFF, *CUT}, whole
    )


class TestLetters:
    def test_every_letter_that_reached_its_recipient_was_opened_and_says_what_was_written(self, lived: Lived) -> None:
        inboxes = lived.year.book.inboxes
        delivered = [fate for fate in lived.fates if fate.state == "delivered"]
        arrived = Counter(fate.recipient for fate in (*delivered, *lived.unproved()))
        assert arrived.keys() == set(MEMBERS)
        for fate in delivered:
            assert inboxes[fate.recipient][fate.letter.id] == fate.letter.title
        assert {code: len(inbox) for code, inbox in inboxes.items()} == arrived

    def test_only_an_answer_under_an_ended_key_that_the_log_does_not_prove_left_its_sender_in_doubt(
        self, lived: Lived
    ) -> None:
        unbelieved = [judged.fate for judged in lived.judged if not judged.believed]
        for fate in lived.unproved():
            assert fate in unbelieved

    def test_an_answer_under_an_ended_key_is_believed_by_the_log_of_the_relay_in_use_and_by_no_other(
        self, lived: Lived
    ) -> None:
        believed = [judged.time for judged in lived.judged if judged.believed]
        replaced = BEGIN + RELAY_REPLACED * DAY
        assert believed
        assert all(time >= replaced for time in believed)
        assert any(judged.time < replaced for judged in lived.judged)

    def test_no_node_ever_got_what_it_could_not_open(self, lived: Lived) -> None:
        answers = sum((outcomes(node) for node in lived.year.nodes.values()), Counter())
        assert answers.keys() <= {"delivered", "head"}
        told = sum((alarms(node) for node in lived.year.nodes.values()), Counter())
        assert not told.keys() & {"epoch-gone", "unreadable", "epoch-not-destroyed", "fault"}

    def test_what_did_not_arrive_expired_while_its_recipient_or_its_sender_was_away(self, lived: Lived) -> None:
        fetched = lived.year.book.fetched
        unproved = lived.unproved()
        for fate in lived.fates:
            if fate.state == "delivered" or fate in unproved:
                continue
            assert fate.state == "expired"
            if fate.accepted is None:
                assert fate.letter.waited or fate.fault == "it expired before the relay accepted it"
            else:
                assert fate.expires is not None
                assert not any(fate.accepted <= time < fate.expires for time in fetched[fate.recipient])

    def test_what_cannot_be_sealed_waits_says_why_and_is_delivered_when_it_can(self, lived: Lived) -> None:
        for name in LETTERS:
            fate = lived.of(name)
            if name.startswith("to who has no epoch"):
                assert fate.letter.waited == [
                    f"{fate.recipient} has no valid encryption epoch: its node has to publish one"
                ]
            elif name == "by who is cut off, by a directory that is too old":
                assert any("too old to send by" in why for why in fate.letter.waited)
            else:
                assert fate.letter.waited == []
            assert fate.state == "delivered"

    def test_what_was_sealed_to_an_epoch_that_ended_before_the_relay_took_it_is_sealed_anew(self, lived: Lived) -> None:
        letter = lived.calendar.letters["sealed to an epoch that a revocation ends"]
        assert sealed_as(lived.year.nodes[letter.sender], letter) == ["superseded", "accepted"]

    def test_no_letter_outlives_the_half_that_opens_it_and_one_is_opened_in_its_last_hours(self, lived: Lived) -> None:
        for accepted in lived.accepted():
            for wrap in accepted.header.wraps:
                end = lived.directory.epoch(wrap.recipient, wrap.key_id).destroy_at
                assert accepted.header.core.expires <= end - EXPIRY_MARGIN
        last = lived.of("to who comes back in the last hours")
        back = BEGIN + OFF["XAE"][1] * DAY
        assert last.expires is not None
        assert 0 < last.expires - back <= 6 * HOUR


class TestHalves:
    def test_none_is_on_any_disk_after_its_time(self, lived: Lived) -> None:
        """The disks of every node that ran were looked at on every day; at the end those of all are."""
        assert lived.year.book.alive == []
        halves, now = lived.year.halves, lived.year.now
        for node in lived.year.nodes.values():
            assert node.names_on_disk() == halves.living(node.code, now)
            assert list(found_in(key_files(node.folder), halves.dead(node.code, now))) == []
        for code in ("XAD", "XAH", "XBB"):
            assert list(found_in(all_files(lived.year.nodes[code].folder), halves.dead(code, now))) == []

    def test_who_looks_for_a_living_one_finds_it(self, lived: Lived) -> None:
        """Control: the search is able to find."""
        year = lived.year
        for node in year.nodes.values():
            living = [half for half in year.halves.of(node.code) if half.destroy_at > year.now]
            assert len(living) >= EPOCHS_AHEAD + 1 + EPOCH_GRACE // EPOCH_TERM
            assert len(list(found_in(key_files(node.folder), living))) == len(living)

    def test_a_node_that_was_off_destroys_first(self, lived: Lived) -> None:
        returns = {back.member: back for back in lived.year.book.returns}
        assert returns.keys() == OFF.keys()
        for back in returns.values():
            assert back.overdue
            assert not back.left

    @pytest.mark.parametrize("member", ["XAD", "XBB"])
    def test_who_takes_everything_and_had_recorded_all_opens_only_what_is_inside_its_grace(
        self, lived: Lived, member: str
    ) -> None:
        folder, now = lived.year.nodes[member].folder, lived.year.now
        halves = halves_in(folder, Keystore.open(folder / "keys", PASSPHRASE))
        recorded = [item for item in lived.accepted() if item.header.wrap_for(MemberId(member)) is not None]
        inside = {item.digest for item in recorded if lived.ends(item, member) > now}
        assert {item.digest for item in recorded if plaintext(item, member, halves) is not None} == inside
        assert 0 < len(inside) < len(recorded)


class TestTrust:
    def test_a_revoked_key_and_the_epochs_it_certified_are_used_in_no_envelope_after_its_index(
        self, lived: Lived
    ) -> None:
        directory, revoked = lived.directory, lived.year.book.revoked
        for relay in lived.year.relays:
            for item in relay.accepted:
                signed = decode(SIGNED_RECEIPT, item.receipt, 2 * MAX_SMALL_OBJECT)
                receipt, header = verify_receipt(signed, directory), decode_header(item.header)
                view = directory.as_of(receipt.directory_size)
                verify_header(header, view, receipt.time)
                for wrap in header.wraps:
                    assert view.in_force(view.epoch(wrap.recipient, wrap.key_id))
                for ended in revoked:
                    if (header.core.sender, header.core.key_id) == (ended.member, ended.key):
                        assert receipt.directory_size <= ended.index

    def test_a_revoked_key_cosigns_nothing_after_its_index(self, lived: Lived) -> None:
        used: Counter[str] = Counter()
        for shown in lived.year.book.shown:
            signed = parse_signed(shown.published.note)
            for ended in lived.year.book.revoked:
                time = cosigner_keys(lived.directory.signing[ended.member, ended.key]).time(signed)
                if time is not None:
                    # Who witnesses the other log is judged by what was published when it was asked.
                    assert time <= ended.time
                    assert shown.log == "audit" or signed.checkpoint.size <= ended.index
                    used[ended.member] += 1
        assert used.keys() == {"XAH", "XAI", "XAJ"}

    def test_whatever_the_holder_of_a_revoked_key_tries_is_refused(self, lived: Lived) -> None:
        tried = Counter(lived.year.book.tried)
        # At once, and once more at the relay that has taken over.
        times = 6
        assert tried == {
            ("send", "untrusted"): times,
            ("fetch", "request-signature"): times,
            ("publish", "untrusted"): times,
            ("cosign", "Untrusted"): times,
        }

    def test_the_directory_only_grew_for_everybody(self, lived: Lived) -> None:
        book = lived.year.book
        for sizes in (*book.sizes.values(), *lived.shown_sizes().values()):
            assert sizes == sorted(sizes)
        for relay in lived.year.relays:
            receipts = [decode(SIGNED_RECEIPT, item.receipt, 2 * MAX_SMALL_OBJECT).receipt for item in relay.accepted]
            decided = [(receipt.time, receipt.directory_size) for receipt in receipts]
            assert decided == sorted(decided)
            assert decided == sorted(decided, key=lambda moment: moment[1])

    def test_everybody_ends_with_the_same_root_and_every_checkpoint_was_of_this_log(self, lived: Lived) -> None:
        entries = list(read_entries(lived.year.folder / "relay-2"))
        tree = MemoryTree(entry_hash(raw) for raw in entries)
        end = Handover(len(entries), tree_root(len(entries), tree))
        assert lived.year.book.ends == dict.fromkeys(MEMBERS, end)
        for shown in lived.year.book.shown:
            checkpoint = shown.published.checkpoint
            assert shown.log == "audit" or tree_root(checkpoint.size, tree) == checkpoint.root


def test_the_figures(lived: Lived, tell: Callable[[str], None]) -> None:
    year, book = lived.year, lived.year.book
    days = year.day
    times = [ms for ms, count in book.verified if count == len(MEMBERS)]
    assert times
    directory = checkpoints_by_day(spread(book.grown, 30, "looks"), BEGIN, days)
    moments = Counter(
        decode(SIGNED_RECEIPT, item.receipt, 2 * MAX_SMALL_OBJECT).receipt.time
        for relay in year.relays
        for item in relay.accepted
    )
    audit = checkpoints_by_day(spread(moments.items(), 6 * HOUR, "letters"), BEGIN, days)
    assert all(LEAST <= count <= MOST for count in (*directory[1:-1], *audit[1:-1]))
    states = Counter(fate.state for fate in lived.fates)
    tell(
        f"a year of {len(MEMBERS)} nodes: {len(year.post.letters)} letters, {states['delivered']} deliveries, all of "
        f"them opened, and {states['expired']} that expired while one of the two was away; "
        f"{len(year.halves)} epoch keys, none on a disk after its time; {lived.directory.size} directory entries"
    )
    tell(
        f"a checkpoint with {len(MEMBERS)} cosigners is verified in {statistics.median(times):.1f} ms, at most "
        f"{max(times):.1f} ms, of {len(times)} (goal 15 ms)"
    )
    tell(
        f"checkpoints a day at the relay's pace: directory {sum(directory) / days:.1f}, at most {max(directory)}; "
        f"audit {sum(audit) / days:.1f}, at most {max(audit)}; {LEAST} when it rests, {MOST} when it never does"
    )
