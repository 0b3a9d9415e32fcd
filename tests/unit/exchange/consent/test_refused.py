"""Whom a refusal is told, and what a notice of one proves."""

from typing import Any

import pytest

from exchange.consent.authorise import authorise
from exchange.consent.decision import Decision, Ledger, Rule
from exchange.consent.refused import JudgedRefusal, by_rule, concerned, judge_refused
from exchange.errors import Invalid
from keys.ceremony import withdraw_provision
from keys.directory import extend
from keys.errors import BadSignature, Untrusted
from schemas.canon import encode
from schemas.errors import DecodeError
from schemas.ids import MemberId
from schemas.limits import DAY, HOUR, MAX_CLOCK_AHEAD
from schemas.receipt import SIGNED_RECEIPT
from schemas.refused import RefusedTransfer
from tests.support.world import Sealed, World

KAZ, MNG, UZB, XAA = (MemberId(code) for code in ("KAZ", "MNG", "UZB", "XAA"))


def decided(world: World, sealed: Sealed) -> Decision:
    return authorise(world.verified(sealed), world.directory, Ledger(), world.now)


def judged(world: World, sealed: Sealed, rule: str = "no-consent", receipt: bool = False) -> JudgedRefusal:
    signed = encode(SIGNED_RECEIPT, world.receipt(sealed)) if receipt else None
    return judge_refused(RefusedTransfer(sealed.header_bytes, signed, rule, world.now), world.directory, world.now)


def of(world: World, *providers: str, to: tuple[str, ...] = ("UZB",), sender: str = "MNG", **terms: object) -> Sealed:
    """One text of these providers for MNG, sent by `sender`."""
    manifest = world.manifest(providers)
    return world.envelope(
        to, sender, manifest=manifest, provisions=[world.signed_provision(manifest, providers, ["MNG"], **terms)]
    )


class TestConcerned:
    def test_every_provider_of_what_is_refused(self, world: World) -> None:
        sealed = of(world, "KAZ", "XAA")
        assert concerned(sealed.header.core, decided(world, sealed)) == ((KAZ, Rule.NO_CONSENT), (XAA, Rule.NO_CONSENT))

    def test_never_the_sender(self, world: World) -> None:
        sealed = of(world, "KAZ", "XAA", sender="KAZ")
        assert concerned(sealed.header.core, decided(world, sealed)) == ((XAA, Rule.NO_CONSENT),)

    def test_no_provider_of_what_is_lawful_beside_it(self, world: World) -> None:
        manifest = world.manifest(("KAZ",))
        mine = world.signed_provision(manifest, ("KAZ",), ["MNG"])
        other = world.signed_provision(world.manifest(("XAA",)), ("XAA",), ["MNG", "UZB"])
        sealed = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[mine, other])
        assert concerned(sealed.header.core, decided(world, sealed)) == ((KAZ, Rule.NO_CONSENT),)

    def test_each_by_the_rule_of_its_own_provision(self, world: World) -> None:
        manifest = world.manifest(("KAZ",))
        mine = world.signed_provision(manifest, ("KAZ",), ["MNG"])
        later = world.signed_provision(world.manifest(("XAA",)), ("XAA",), ["MNG", "UZB"], not_before=world.now + 9)
        sealed = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[mine, later])
        rows = concerned(sealed.header.core, decided(world, sealed))
        assert rows == ((KAZ, Rule.NO_CONSENT), (XAA, Rule.EMBARGO))
        assert by_rule(rows) == ((Rule.NO_CONSENT, (KAZ,)), (Rule.EMBARGO, (XAA,)))

    @pytest.mark.parametrize("terms", [{}, {"created": DAY}])
    def test_one_that_is_forged_under_the_id_of_anothers_by_its_own_rule(
        self, world: World, terms: dict[str, int]
    ) -> None:
        """Told by the other's rule, its provider would find the notice false and blame the relay."""
        manifest = world.manifest(("KAZ",))
        dated = {name: world.now + value for name, value in terms.items()}
        mine = world.signed_provision(manifest, ("KAZ",), ["MNG"], **dated)
        forged = world.provision(manifest, ("XAA",), ["MNG"], id=mine.provision.id)
        signed = world.sign_provision(forged, {"XAA": world.nodes["MNG"]})
        sealed = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[mine, signed])
        rows = dict(concerned(sealed.header.core, decided(world, sealed)))
        assert rows[XAA] is Rule.PROVISION_SIGNATURE
        assert all(judged(world, sealed, rule.value).concerns(member) for member, rule in rows.items())
        assert set(rows) == {KAZ, XAA}

    def test_all_of_them_when_the_sender_may_not_send_at_all(self) -> None:
        world = World(observers=("XAB",))
        manifest = world.manifest(("KAZ",))
        held = world.signed_provision(manifest, ("KAZ",), ["MNG", "XAB"])
        open_to = world.envelope(["MNG"], "XAB", manifest=manifest, provisions=[held])
        assert concerned(open_to.header.core, decided(world, open_to)) == ((KAZ, Rule.SENDER),)


class TestJudged:
    def test_the_forwarders_header_is_the_proof(self, world: World) -> None:
        sealed = of(world, "KAZ")
        for receipt in (False, True):
            found = judged(world, sealed, receipt=receipt)
            assert (found.agrees, found.lawful, found.rule) == (True, False, Rule.NO_CONSENT)
            assert (found.header.digest, found.header.core.sender) == (sealed.digest, MNG)
            assert [found.concerns(member) for member in (KAZ, MNG, UZB)] == [True, False, False]

    def test_another_rule_than_the_one_that_refuses_it_is_not_confirmed(self, world: World) -> None:
        found = judged(world, of(world, "KAZ"), "embargo", receipt=True)
        assert (found.agrees, found.lawful) == (False, False)

    def test_with_a_receipt_a_lawful_transfer_is_known_as_one(self, world: World) -> None:
        sealed = of(world, "KAZ", sender="KAZ", to=("MNG",))
        assert judged(world, sealed, receipt=True).lawful
        assert not judged(world, sealed, receipt=False).lawful
        assert not judged(world, sealed, "grant-signature", receipt=True).lawful

    def test_it_is_judged_as_of_the_receipt(self, world: World) -> None:
        """The end date has passed when the notice is made, and had not when the relay accepted."""
        sealed = of(world, "KAZ", sender="KAZ", to=("MNG",), until=world.now + 10)
        receipt = encode(SIGNED_RECEIPT, world.receipt(sealed))
        later = RefusedTransfer(sealed.header_bytes, receipt, "provision-ended", world.now + DAY)
        assert not judge_refused(later, world.directory, world.now + DAY).agrees
        without = RefusedTransfer(sealed.header_bytes, None, "provision-ended", world.now + DAY)
        assert not judge_refused(without, world.directory, world.now + DAY).agrees, "it was lawful when it was made"

    def test_a_withdrawal_counts_without_a_receipt_when_it_stood_before_the_transfer_was_made(
        self, world: World
    ) -> None:
        sealed = of(world, "KAZ", sender="KAZ", to=("MNG",))
        ended = withdraw_provision(world.nodes["KAZ"], sealed.header.core.provisions[0].provision.id, world.now)
        later = extend(world.directory, [ended])
        notice = RefusedTransfer(sealed.header_bytes, None, "consent-withdrawn", world.now)
        assert not judge_refused(notice, later, world.now).agrees
        assert not judge_refused(notice, later, world.now, lambda _time: world.directory.size).agrees
        assert judge_refused(notice, later, world.now, lambda _time: later.size).agrees

    @pytest.mark.parametrize(
        ("shift", "now", "refused"),
        [
            (-MAX_CLOCK_AHEAD, 0, False),
            (-MAX_CLOCK_AHEAD - 1, 0, True),
            (MAX_CLOCK_AHEAD, 0, False),
            (MAX_CLOCK_AHEAD + 1, 0, True),
            (DAY, DAY, False),
        ],
    )
    def test_a_time_at_which_it_was_not_made_or_that_is_not_yet(
        self, world: World, shift: int, now: int, refused: bool
    ) -> None:
        notice = RefusedTransfer(of(world, "KAZ").header_bytes, None, "no-consent", world.now + shift)
        if refused:
            with pytest.raises(Invalid, match="proves nothing"):
                judge_refused(notice, world.directory, world.now + now)
        else:
            assert judge_refused(notice, world.directory, world.now + now).agrees

    def test_what_is_no_proof(self, world: World) -> None:
        sealed = of(world, "KAZ")
        forged = world.forward(sealed, "MNG", ["UZB"], signer=world.nodes["UZB"])
        with pytest.raises(BadSignature):
            judged(world, forged)
        with pytest.raises(Invalid, match="no rule"):
            judged(world, sealed, "expires-beyond-limit")
        with pytest.raises(DecodeError):
            judge_refused(RefusedTransfer(b"x", None, "no-consent", world.now), world.directory, world.now)
        other = encode(SIGNED_RECEIPT, world.receipt(of(world, "KAZ")))
        with pytest.raises(Invalid, match="another envelope"):
            judge_refused(
                RefusedTransfer(sealed.header_bytes, other, "no-consent", world.now), world.directory, world.now
            )

    @pytest.mark.parametrize(
        ("field", "value", "why"),
        [
            ("body_size", 1, "another envelope"),
            ("time", -MAX_CLOCK_AHEAD - 1, "before the envelope was made"),
            ("time", 90 * DAY, "after the envelope's expiry"),
            ("directory_size", 1, "when there were"),
        ],
    )
    def test_a_receipt_that_no_honest_relay_gives(self, world: World, field: str, value: int, why: str) -> None:
        """It would make unlawful what was not: whoever shows it proves nothing, to a node as in a file."""
        sealed = of(world, "KAZ")
        fields: dict[str, Any] = {field: world.now + value if field == "time" else value}
        notice = RefusedTransfer(
            sealed.header_bytes, encode(SIGNED_RECEIPT, world.receipt(sealed, **fields)), "no-consent", world.now
        )
        with pytest.raises(Invalid, match=why):
            judge_refused(notice, world.directory, world.now, lambda _time: world.directory.size)

    def test_with_a_receipt_of_after_a_withdrawal_it_cannot_be_told(self, world: World) -> None:
        """A relay may keep a lawful envelope back until consent is withdrawn."""
        sealed = of(world, "KAZ", sender="KAZ", to=("MNG",))
        ended = withdraw_provision(world.nodes["KAZ"], sealed.header.core.provisions[0].provision.id, world.now)
        later = extend(world.directory, [ended])
        receipt = encode(SIGNED_RECEIPT, world.receipt(sealed, directory_size=later.size, time=world.now + HOUR))
        notice = RefusedTransfer(sealed.header_bytes, receipt, "consent-withdrawn", world.now + HOUR)
        found = judge_refused(notice, later, world.now + HOUR, lambda _time: world.directory.size)
        assert (found.agrees, found.lawful, found.decided) == (False, False, world.now + HOUR)
        assert judge_refused(notice, later, world.now + HOUR, lambda _time: later.size).agrees

    def test_a_directory_or_a_key_that_is_not_known_here(self, world: World) -> None:
        sealed = of(world, "KAZ")
        ahead = encode(SIGNED_RECEIPT, world.receipt(sealed, directory_size=world.directory.size + 1))
        notice = RefusedTransfer(sealed.header_bytes, ahead, "no-consent", world.now)
        with pytest.raises(Untrusted):
            judge_refused(notice, world.directory, world.now)
        with pytest.raises(Untrusted):
            judge_refused(
                RefusedTransfer(sealed.header_bytes, None, "no-consent", world.now),
                World(seed="other").directory,
                world.now,
            )

    def test_a_provision_that_is_forged_concerns_its_provider_by_that_rule_only(self, world: World) -> None:
        manifest = world.manifest(("KAZ",))
        provision = world.provision(manifest, ("KAZ",), ["MNG"])
        forged = world.sign_provision(provision, {"KAZ": world.nodes["MNG"]})
        sealed = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[forged])
        assert judged(world, sealed, "provision-signature").concerns(KAZ)
        assert not judged(world, sealed, "no-consent").concerns(KAZ)
        assert not judged(world, of(world, "KAZ"), "provision-signature").agrees
