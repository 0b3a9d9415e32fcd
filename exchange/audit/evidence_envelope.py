"""One envelope in an evidence file: who sent what to whom, what the relay did with it, and each recipient's answer."""

from dataclasses import dataclass
from typing import Final

from exchange.audit.claims import Broken, Claim, Finding, date, listed, read, short
from exchange.audit.evidence_answers import judge_answers
from exchange.audit.evidence_dated import decided_then, receipt_undated, undated_signer
from exchange.audit.evidence_logged import Logged
from exchange.audit.evidence_passed import passed_on
from exchange.audit.evidence_view import FileView
from exchange.consent.authorise import authorise
from exchange.consent.decision import Decision, Ledger
from exchange.delivery.logged import acceptance_fault
from keys.digests import content_commitment, header_digest, provision_digest
from keys.directory import Directory
from keys.errors import KeyFault
from keys.origin import Origin, cosigned_audit, origins_of
from keys.receipts import receipt_covers, receipt_date_fault, receipt_size_fault
from keys.verify import Moment, VerifiedHeader, provision_fault, verify_header, verify_receipt
from schemas.content import ContentKind, Manifest, read_manifest
from schemas.envelope import Header, decode_header
from schemas.errors import DecodeError
from schemas.evidence import EnvelopeEvidence
from schemas.ids import Digest, MemberId
from schemas.limits import MAX_SMALL_OBJECT
from schemas.origin import Origins
from schemas.receipt import SIGNED_RECEIPT, Receipt

_NOT_SHOWN: Final = (
    ", and the file does not show that it stood in a log before: a receipt alone may be dated back, and so may an entry"
    " that was logged late"
)
# What is so whatever the relay says.
_BY_SIGNERS: Final = (Claim.SENT, Claim.PROVIDED, Claim.SEALED)


@dataclass(frozen=True, slots=True)
class EnvelopeFacts:
    """What holds of an envelope; `delivered`: when each recipient says that it had it (Unix seconds).

    `receipt` is None, and `undated` true, when a signer's key is over and no log shows that it was signed before; None
    as well when the key of the relay is over and no log shows that it was given before.
    """

    header: Header
    digest: Digest
    receipt: Receipt | None
    delivered: dict[MemberId, int]
    answered: frozenset[MemberId]
    manifest: Manifest | None
    undated: bool = False


def judge_envelope(item: EnvelopeEvidence, view: FileView, logged: Logged, found: list[Finding]) -> EnvelopeFacts:
    """Judge one envelope; what holds is appended to `found` as it is found. Raises Broken."""
    return _Envelope(item, view, logged, found).judge()


class _Envelope:
    """One envelope, as of the relay's acceptance."""

    def __init__(self, item: EnvelopeEvidence, view: FileView, logged: Logged, found: list[Finding]) -> None:
        try:
            self._header = decode_header(item.header)
        except DecodeError as fault:
            raise Broken(Claim.SENT, f"the header of an envelope in the file cannot be read: {fault}") from None
        self._item, self._view, self._logged, self._found = item, view, logged, found
        self._core = self._header.core
        self._digest = header_digest(self._header)
        self._name = self._core.id.hex()
        self._receipt = self._accepted()
        self._at = self._core.created if self._receipt is None else self._receipt.time
        self._directory = self._judged_by()
        # What is proved of logs: by the header, and of the acceptance of the envelope itself.
        self._origins: frozenset[Origin] = frozenset()
        self._here: Origin | None = None
        self._decision: Decision | None = None

    def judge(self) -> EnvelopeFacts:
        told, self._found = self._found, []
        self._rules()
        by_rules, self._found = self._found, told
        # A relay dates receipts as it likes: with a thief of a key it could convict whose key it was.
        moment = Moment(self._directory, self._at, self._origins)
        signer = undated_signer(self._core, self._digest, self._here, moment, self._view, self._decision)
        relay = self._receipt is not None and receipt_undated(self._receipt, self._here, self._view)
        if signer is not None:
            self._tell(
                Claim.UNDATED, f"envelope {self._name} rests on a key of {signer} that is over{_NOT_SHOWN}", signer
            )
        elif relay:
            told += [finding for finding in by_rules if finding.claim in _BY_SIGNERS]
            self._tell(Claim.UNDATED, f"the receipt of envelope {self._name} is by a former relay{_NOT_SHOWN}")
        else:
            told += by_rules
        delivered, answered = judge_answers(self._item, self._header, self._logged, self._found)
        self._unanswered(answered)
        receipt = None if relay or signer is not None else self._receipt
        manifest = self._content(signer is None)
        return EnvelopeFacts(self._header, self._digest, receipt, delivered, answered, manifest, signer is not None)

    def _rules(self) -> None:
        verified = self._sent()
        self._provided()
        self._sealed()
        if self._receipt is not None:
            self._tell_accepted(self._receipt)
            self._relayed(self._receipt)
            self._consented(verified, self._receipt)
        else:
            said = f"no receipt of the relay for envelope {self._name} is in this file"
            self._tell(Claim.NOT_ACCEPTED, said)

    def _tell(self, claim: Claim, sentence: str, member: MemberId | None = None) -> None:
        self._found.append(Finding(claim, sentence, member, self._name))

    def _judged_by(self) -> Directory:
        """That of the relay's decision; without one the newest, of before the sender's key was ended."""
        if self._receipt is None:
            return self._view.before_ending(self._core.sender, self._core.key_id)
        return self._as_of(self._receipt.directory_size)

    def _as_of(self, size: int) -> Directory:
        try:
            return self._view.as_of(size)
        except KeyFault as fault:
            raise Broken(Claim.ACCEPTED, f"the receipt of envelope {self._name} does not hold: {fault}") from None

    def _accepted(self) -> Receipt | None:
        if self._item.receipt is None:
            return None
        signed = read(Claim.ACCEPTED, "relay's receipt", SIGNED_RECEIPT, self._item.receipt, MAX_SMALL_OBJECT)
        receipt, current = signed.receipt, self._view.current
        why: str | None = None
        if not receipt_covers(receipt, self._header):
            why = "it is about another envelope"
        else:
            why = receipt_date_fault(receipt, self._header, receipt.time)
            why = why or receipt_size_fault(receipt, self._view.least_size)
        if why is None:
            try:
                verify_receipt(signed, current)
            except KeyFault as fault:
                why = str(fault)
        if why is not None:
            raise Broken(Claim.ACCEPTED, f"the receipt of envelope {self._name} does not hold: {why}")
        return receipt

    def _sent(self) -> VerifiedHeader:
        core = self._core
        try:
            verified = verify_header(self._header, self._directory, self._at)
        except KeyFault as fault:
            why = f"envelope {self._name} was not signed by the node of {core.sender}: {fault}"
            raise Broken(Claim.SENT, why, core.sender) from None
        to = listed(self._header.recipients)
        self._tell(
            Claim.SENT,
            f"{core.sender} signed envelope {self._name} (header {short(self._digest)}) for {to} and for nobody else,"
            f" by its own clock at {date(core.created)}, with its key {short(core.key_id)}",
            core.sender,
        )
        return verified

    def _provided(self) -> None:
        self._origins = origins_of(self._core.origins, self._directory, self._view.least_size)
        moment = Moment(self._directory, self._at, self._origins)
        for signed in self._core.provisions:
            name, provision = short(provision_digest(signed.body)), signed.provision
            fault = provision_fault(signed, moment)
            if fault is not None:
                why = f"Provision {name} in envelope {self._name} was not signed by {fault[0]}: {fault[1]}"
                raise Broken(Claim.PROVIDED, why, fault[0])
            self._tell(
                Claim.PROVIDED,
                f"{listed(provision.providers)} signed Provision {name}: its audience is {listed(provision.audience)},"
                f" its onward terms are {provision.onward.label}",
                provision.providers[0],
            )

    def _sealed(self) -> None:
        """To whose key: a key that somebody put in its place is in no directory that a root stands behind."""
        for wrap in self._header.wraps:
            try:
                record = self._directory.epoch(wrap.recipient, wrap.key_id)
            except KeyFault as fault:
                why = f"envelope {self._name} is sealed to a key that the node of {wrap.recipient} never certified"
                raise Broken(Claim.SEALED, f"{why}: {fault}", wrap.recipient) from None
            self._tell(
                Claim.SEALED,
                f"what {wrap.recipient} gets is sealed to its own epoch {record.number}, which its key"
                f" {short(record.certifier)} certified, and that key the root that the charter names",
                wrap.recipient,
            )

    def _tell_accepted(self, receipt: Receipt) -> None:
        self._tell(
            Claim.ACCEPTED,
            f"the relay signed at {date(receipt.time)} that it has accepted envelope {self._name}, by the directory of"
            f" {receipt.directory_size} entries",
        )

    def _consented(self, verified: VerifiedHeader, receipt: Receipt) -> None:
        """The rule of consent, with all that it depends on but the relay's account of uses."""
        decision = authorise(verified, self._directory, Ledger(origins=self._origins), self._at)
        self._decision = decision
        proved = decided_then(self._core, receipt, self._here, self._view)
        for claim, said, member in passed_on(self._core, decision, proved):
            self._tell(claim, said, member)

    def _relayed(self, receipt: Receipt) -> None:
        origins = self._item.logged
        if origins is None:
            return
        fault = acceptance_fault(origins, self._header, receipt, self._view)
        if fault is not None:
            raise Broken(Claim.RELAYED, f"the acceptance of envelope {self._name} is not in the relay's log: {fault}")
        time = self._logged_at(origins, receipt)
        self._here = Origin(self._digest, time, receipt.directory_size)
        self._tell(
            Claim.RELAYED,
            f"its acceptance is entry {origins.proofs[0].index} of the relay's log, in a checkpoint that a quorum of"
            f" members had cosigned by {date(time)}",
        )

    def _logged_at(self, origins: Origins, receipt: Receipt) -> int:
        try:
            return cosigned_audit(origins.checkpoints[0], self._as_of(receipt.directory_size)).time
        except (KeyFault, DecodeError):
            return cosigned_audit(origins.checkpoints[0], self._view.current).time

    def _unanswered(self, answered: frozenset[MemberId]) -> None:
        expires = self._core.expires
        for recipient in self._header.recipients:
            if recipient in answered:
                continue
            over = "it had expired" if expires < self._view.proved else "it expires"
            said = (
                f"no acknowledgement of {recipient} for envelope {self._name} is in this file; {over} at"
                f" {date(expires)}, and the directory in the file is of {date(self._view.proved)}"
            )
            self._tell(Claim.NOT_DELIVERED, said, recipient)

    def _content(self, dated: bool) -> Manifest | None:
        if self._item.manifest is None:
            return None
        try:
            manifest = read_manifest(self._item.manifest)
        except DecodeError as fault:
            raise Broken(Claim.CONTENT, f"the content in the file cannot be read: {fault}") from None
        commitment = content_commitment(self._item.manifest)
        own = next((s.provision for s in self._core.provisions if s.provision.commitment == commitment), None)
        if own is None or own.providers != manifest.providers:
            raise Broken(Claim.CONTENT, "the content in the file is not the one that its providers signed")
        if dated and manifest.kind is ContentKind.RECORD:
            said = f"the content in the file is the one that {listed(own.providers)} signed"
            files = f" and {len(manifest.attachments)} attachments" if manifest.attachments else ""
            self._tell(Claim.CONTENT, f"{said}: a record of {len(manifest.body)} bytes{files}", own.providers[0])
        return manifest
