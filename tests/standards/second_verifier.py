"""A second verifier of evidence files, written from docs/protocol.md alone ("Evidence files"): no code of the product.

claims = verify(data, charter_digest)   # [(claim, member or ""), ...]; raises Broken for the first that fails
"""

from hashlib import sha256
from typing import Any

from tests.standards.second_consent import AHEAD, RULES, Moment, acceptance, judge, provision_holds, withdrawn
from tests.standards.second_directory import (
    Directory,
    Fields,
    Invalid,
    decode,
    digest,
    ed25519,
    framed,
    key_id,
    need,
)
from tests.standards.second_file import belongs, read
from tests.standards.second_log import Cosigned, Past, cosigned, enough, included, leaf_hash, root_of
from tests.standards.second_streams import streams

RELAYS = ("accepted", "relayed", "forwarded", "without-consent")
ANSWERS = ("delivered", "refused-by-recipient", "not-delivered", "undated")
Claim = tuple[str, str]


class Broken(Exception):
    """The first claim that does not hold."""

    def __init__(self, claim: str, why: str) -> None:
        super().__init__(f"{claim}: {why}")
        self.claim = claim


def verify(data: bytes, charter: bytes) -> list[Claim]:
    """What the file proves, in the order of the document."""
    try:
        evidence, entries = read(data)
    except (Invalid, ValueError, KeyError, IndexError, TypeError) as fault:
        raise Broken("file", str(fault)) from None
    return _File(evidence, entries, charter).judge()


class _File:
    def __init__(self, evidence: Fields, entries: list[bytes], charter: bytes) -> None:
        self.evidence, self.entries, self.trusted = evidence, entries, charter
        self.found: list[Claim] = []
        self.directory = Directory()
        self.past = Past(Cosigned(0, b"", {}, 0), [])
        self.logged: set[tuple[bytes, int, int]] = set()
        self.kept: list[dict[str, Any]] = []

    def judge(self) -> list[Claim]:
        self._step("directory", self._directory)
        for entry in self.evidence[12]:
            self._step("logged", self._entry, entry)
        for items in (self.evidence[6], self.evidence[7]):
            self._step("sent", need, len({item[1] for item in items}) == len(items), "twice")
        for item in self.evidence[6]:
            self.kept.append(self._envelope(item, self.found))
            self._step("sent", need, belongs(self.evidence, self.kept[-1]["core"]), "another Provision")
        for raw in self.evidence[9]:
            grant = decode(raw)
            said = decode(grant[1])
            self._own("consented", "grant", grant[2], said[8], grant[1], raw)
        for raw in self.evidence[8]:
            self._step("transfer-refused", self._refused, decode(raw))
        cores = [kept["core"] for kept in self.kept]
        self.found += [("withdrawn", code) for code in withdrawn(self.directory, cores, self.evidence[9])]
        for raw in self.evidence[10]:
            signed = decode(raw)
            self._own("stated", "holder-statement", signed[2], decode(signed[1])[7], signed[1], raw)
        for raw in self.evidence[11]:
            signed = decode(raw)
            self._step("opened", self._about_an_envelope, decode(signed[1]))
            self._own("opened", "opening", signed[2], decode(signed[1])[5], signed[1], raw)
        self._heads()
        return self.found

    def _step(self, claim: str, check: Any, *given: Any) -> Any:  # noqa: ANN401  # a check and what it is of
        try:
            return check(*given)
        except (Invalid, ValueError, KeyError, IndexError, TypeError) as fault:
            raise Broken(claim, str(fault)) from None

    def _directory(self) -> None:
        for raw in self.entries:
            self.directory.add(raw)
        size = self.directory.size
        need(self.trusted in [known for _, _, known in self.directory.charters], "another charter")
        newest = cosigned(self.evidence[5], "directory", self.directory, size)
        need(newest.size == size, "another directory")
        seen = [newest, *(self._earlier(note) for note in self.evidence[13])]
        hashes = [leaf_hash(raw) for raw in self.entries]
        need(all(one.root == root_of(hashes[: one.size]) for one in seen), "another directory")
        times = [(one.size, enough(one, self.directory)) for one in seen[1:]]
        self.past = Past(newest, [(size, time) for size, time in times if time is not None])
        self.found.append(("directory", ""))

    def _earlier(self, note: bytes) -> Cosigned:
        """Judged by the directory at its own size."""
        size = int(note.split(b"\n")[1])
        need(1 <= size <= self.directory.size, "another directory")
        return cosigned(note, "directory", self.directory, size)

    def _entry(self, item: Fields) -> None:
        said = decode(item[1])
        size = said.get(16, self.directory.size)
        log = self._log(item[4], size)
        need(included(item[1], item[2], log.size, item[3]) == log.root, "not in the log")
        need(size >= self.past.least(log.first), "dated back")
        if 12 in said and 16 in said:
            self.logged.add((said[12], log.first, size))
        self.found.append(("logged", said.get(6, "")))

    def _log(self, note: bytes, size: int) -> Cosigned:
        """A checkpoint of the audit log, by the directory at a size or by the newest."""
        try:
            return cosigned(note, "audit", self.directory, size)
        except Invalid:
            return cosigned(note, "audit", self.directory, self.directory.size)

    def _holds(self, claim: str, member: str, key: bytes, time: int, message: bytes, value: bytes, raw: bytes) -> bool:
        """Signed by the member's key; False when nobody knows whether that was before the key ended."""
        name = (member, key)
        if name not in self.directory.keys:
            raise Broken(claim, "no such key")
        _, said = self.directory.keys[name]
        if not ed25519(said[2][1], message, value) or not said[3] <= time <= said[4]:
            raise Broken(claim, "signature")
        moment = Moment(self.directory, self.directory.size, time, self.past, self.logged)
        if not self.past.over(self.directory, name) or moment.before(name, sha256(raw).digest()):
            return True
        self.found.append(("undated", member))
        return False

    def _own(self, claim: str, label: str, signature: Fields, time: int, body: bytes, raw: bytes) -> None:
        message = framed(f"cbm/1/{label}", body)
        if self._holds(claim, signature[1], signature[2], time, message, signature[3], raw):
            self.found.append((claim, signature[1]))

    def _envelope(self, item: Fields, found: list[Claim]) -> dict[str, Any]:
        told: list[Claim] = []
        kept = self._judged(item, told)
        over = kept["moment"].undated(kept["core"], kept["name"], kept["logged"], kept["refused"])
        if over is not None:
            told = [("undated", over), *(one for one in told if one[0] in ANSWERS)]
            kept |= {"receipt": None, "undated": True}
        elif kept["receipt"] is not None and self._undated_receipt(kept):
            told = [("undated", ""), *(one for one in told if one[0] not in RELAYS)]
            kept |= {"receipt": None, "time": kept["core"][9]}
        found += told
        return kept

    def _undated_receipt(self, kept: dict[str, Any]) -> bool:
        """A relay that was replaced since, and no log shows that it accepted this before."""
        ending = self.directory.relay_ending(kept["receipt"][1], kept["receipt"][8])
        return ending is not None and not any(self.past.most(at) <= ending for at, _ in kept["logged"])

    def _judged(self, item: Fields, found: list[Claim]) -> dict[str, Any]:
        header = self._step("sent", decode, item[1])
        core, wraps = self._step("sent", decode, header[1]), self._step("sent", decode, header[2])[1]
        name = digest("cbm/1/header-digest", header[1], header[2])
        size, time, receipt = self.directory.size, core[9], None
        if 2 in item:
            receipt = self._step("accepted", self._receipt, decode(item[2]), core, name)
            size, time = receipt[8], receipt[7]
        else:
            size = self.directory.before_ending((core[3], core[4]))
        moment, places, lawful = Moment(self.directory, size, time, self.past), [], True
        signature = {1: core[3], 2: core[4], 3: header[3]}
        self._step("sent", self._sent, signature, header, moment)
        found.append(("sent", core[3]))
        moment.believe(core.get(15))
        for signed in core[5]:
            if provision_holds(signed, moment) is not None:
                raise Broken("provided", "signature")
            found.append(("provided", decode(signed[1])[2][0]))
        for wrap in wraps:
            index, _ = self.directory.epochs.get((wrap[1], wrap[2]), (size, b""))
            if index >= size:
                raise Broken("sealed", "no epoch of the recipient")
            found.append(("sealed", wrap[1]))
        recipients = [wrap[1] for wrap in wraps]
        if receipt is None:
            found.append(("not-accepted", ""))
        else:
            found.append(("accepted", ""))
            lawful, passed = judge(core, recipients, moment)
            found += [("forwarded", code) for code in passed] if lawful else [("without-consent", "")]
            if 3 in item:
                places = [(self._step("relayed", self._accepted, item[3], header, core, receipt), receipt[8])]
                found.append(("relayed", ""))
        delivered, answered = self._answers(item, core, name, recipients, found)
        found += [("not-delivered", code) for code in recipients if code not in answered]
        kept = {"core": core, "name": name, "time": time, "receipt": receipt, "to": recipients}
        kept |= {"moment": moment, "logged": places, "refused": not lawful}
        return kept | {"delivered": delivered, "answered": answered, "manifest": self._content(item, core, found)}

    def _receipt(self, signed: Fields, core: Fields, name: bytes) -> Fields:
        said = decode(signed[1])
        covered = (core[3], core[2], name, core[13], core[12])
        need((said[2], said[3], said[4], said[5], said[6]) == covered, "about another envelope")
        need(core[9] - AHEAD <= said[7] < core[10], "misdated")
        need(1 <= said[8] <= self.directory.size, "a directory that is not in the file")
        need(said[8] >= self.past.least(said[7]), "out of date")
        relays = {key_id(relay[2]): relay[2] for relay in self.directory.charter(said[8])[5]}
        need(ed25519(relays[said[1]][1], framed("cbm/1/relay-receipt", signed[1]), signed[2]), "signature")
        return said

    def _sent(self, signature: Fields, header: Fields, moment: Moment) -> None:
        said = self.directory.key((signature[1], signature[2]), moment.size)
        need(said is not None and said[3] <= moment.time <= said[4], "the sender's key")
        message = framed("cbm/1/header", header[1], header[2])
        need(said is not None and ed25519(said[2][1], message, signature[3]), "signature")

    def _accepted(self, origins: Fields, header: Fields, core: Fields, receipt: Fields) -> int:
        """The time by which the quorum had cosigned it."""
        proof, leaf = acceptance(origins, header, core, receipt)
        log = self._log(origins[1][0], receipt[8])
        need(included(proof[1], proof[2], log.size, proof[3]) == log.root, "not in the log")
        need(leaf[8] >= self.past.least(log.first), "dated back")
        return log.first

    def _answers(
        self, item: Fields, core: Fields, name: bytes, recipients: list[str], found: list[Claim]
    ) -> tuple[set[str], set[str]]:
        delivered, answered = set(), set()
        for raw in item[4]:
            signed = self._step("delivered", decode, raw)
            said = self._step("delivered", decode, signed[1])
            claim = "delivered" if said[6] == 1 else "refused-by-recipient"
            if (said[3], said[4], said[5]) != (core[3], core[2], name) or said[1] not in recipients:
                raise Broken(claim, "about something else")
            answered.add(said[1])
            message = framed("cbm/1/acknowledgement", signed[1])
            if self._holds(claim, said[1], said[2], said[7], message, signed[2], raw):
                early = said[7] < core[9] - 2 * AHEAD
                found.append(("undated" if early else claim, said[1]))
                delivered |= {said[1]} if said[6] == 1 and not early else set()
        return delivered, answered

    def _content(self, item: Fields, core: Fields, found: list[Claim]) -> Fields | None:
        if 5 not in item:
            return None
        manifest = self._step("content", decode, item[5])
        commitment = digest("cbm/1/content", item[5])
        own = [said for said in (decode(signed[1]) for signed in core[5]) if said[14] == commitment]
        if not own or own[0][2] != manifest[2]:
            raise Broken("content", "not what its providers signed")
        if manifest[3] == 1:
            found.append(("content", own[0][2][0]))
        return dict(manifest)

    def _refused(self, notice: Fields) -> None:
        header = decode(notice[1])
        core, recipients = decode(header[1]), [wrap[1] for wrap in decode(header[2])[1]]
        size, time = self.directory.before_ending((core[3], core[4])), notice[4]
        if 2 in notice:
            name = digest("cbm/1/header-digest", header[1], header[2])
            said = self._receipt(decode(notice[2]), core, name)
            size, time = said[8], said[7]
        need(core[9] - AHEAD <= notice[4] <= self.evidence[2] + AHEAD, "dated before the envelope, or to come")
        need(notice[3] in RULES, "no rule")
        moment = Moment(self.directory, size, time, self.past)
        self._sent({1: core[3], 2: core[4], 3: header[3]}, header, moment)
        moment.believe(core.get(15))
        honest = all(provision_holds(signed, moment) is None for signed in core[5])
        lawful = honest and judge(core, recipients, moment)[0]
        lawful &= 2 in notice and notice[3] not in ("provision-signature", "grant-signature")
        over = core[3] if self.past.over(self.directory, (core[3], core[4])) else None
        if lawful and over is None:
            over = moment.undated(core, b"", [], False)
            need(over is not None, "it was lawful")
        self.found.append(("transfer-refused", core[3]) if over is None else ("undated", over))

    def _about_an_envelope(self, said: Fields) -> None:
        names = {(kept["core"][3], kept["core"][2], kept["name"]): kept["to"] for kept in self.kept}
        need(said[1] in names[said[2], said[3], said[4]], "about no envelope in the file")

    def _heads(self) -> None:
        heads = []
        for item in self.evidence[7]:
            kept = self._envelope(item, [])
            if kept["manifest"] is None or kept["manifest"][3] != 2 or len(kept["to"]) != 1:
                raise Broken("numbered", "no head")
            head = decode(kept["manifest"][4])
            if "undated" in kept:
                self.found.append(("undated", kept["core"][3]))
            else:
                heads.append((kept, head))
        self.found += streams(heads, self.kept)
