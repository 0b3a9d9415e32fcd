"""The rules of "Consent" and "Origin proofs" for the second verifier: no code of the product."""

from dataclasses import dataclass, field

import msgpack

from tests.standards.second_directory import Directory, Fields, Invalid, decode, digest, ed25519, framed, need
from tests.standards.second_log import Past, cosigned, included

AHEAD = 120
RULES = (
    *("sender-not-entitled", "recipient-unknown", "provision-signature", "grant-signature", "provision-ahead"),
    *("embargo", "provision-ended", "first-sending-over", "precedence-above-terms", "purpose-not-allowed"),
    *("consent-withdrawn", "sender-not-holder", "no-consent"),
)
Grants = list[tuple[Fields, Fields]]


@dataclass
class Moment:
    """By which directory and when something is judged; `stood`: what was logged, when, as decided by which size."""

    directory: Directory
    size: int
    time: int
    past: Past
    stood: set[tuple[bytes, int, int]] = field(default_factory=set)

    def holds(self, signature: Fields, label: str, body: bytes, logged: bytes) -> bool:
        """A member's signature: its key is valid now, or was where the signed object stood in a log."""
        name = (signature[1], signature[2])
        places = [(self.time, self.size), *((at, size) for what, at, size in self.stood if what == logged)]
        return any(self._valid(name, at, size) for at, size in places) and ed25519(
            self.directory.keys[name][1][2][1], framed(label, body), signature[3]
        )

    def _valid(self, name: tuple[str, bytes], at: int, size: int) -> bool:
        said = self.directory.key(name, size)
        return said is not None and said[3] <= at <= said[4]

    def before(self, name: tuple[str, bytes], logged: bytes) -> bool:
        """Whether it stood in a log before its signer's key was over."""
        ending = self.directory.ending(name, self.directory.size)
        places = [(at, size) for what, at, size in self.stood if what == logged and self._valid(name, at, size)]
        return any(ending is None or self.past.most(at) <= ending for at, _ in places)

    def undated(self, core: Fields, header: bytes, places: list[tuple[int, int]], refused: bool) -> str | None:
        """Whose key is over, when no log shows that what it signed stood there before; `places`: where this did."""
        signers = [(core[3], core[4], header)]
        signers += [(one[1], one[2], logged("provision", signed)) for signed in core[5] for one in signed[2]]
        grants = [signed for signed in core[6] if self._matters(core, signed, refused)]
        signers += [(signed[2][1], signed[2][2], logged("grant", signed)) for signed in grants]
        for member, key, what in signers:
            self.stood |= {(what, at, size) for at, size in places}
            known = (member, key) in self.directory.keys
            if known and self.past.over(self.directory, (member, key)) and not self.before((member, key), what):
                return str(member)
        return None

    def _matters(self, core: Fields, signed: Fields, refused: bool) -> bool:
        """Of a Grant: its key signed it, it is about something here, and it was not taken for good in vain."""
        said, by, key, value = decode(signed[1]), signed[2][1], signed[2][2], signed[2][3]
        if (by, key) not in self.directory.keys:
            return False
        public = self.directory.keys[by, key][1][2][1]
        own = [one for one in (decode(each[1]) for each in core[5]) if said[2] in one[2] and said[3] == core[3]]
        return (
            any(said.get(4) == one[1] or said.get(5) in one[13] for one in own)
            and ed25519(public, framed("cbm/1/grant", signed[1]), value)
            and not (refused and self.holds(signed[2], "cbm/1/grant", signed[1], logged("grant", signed)))
        )

    def believe(self, origins: Fields | None) -> None:
        """What proofs in a header prove."""
        for place, note in enumerate(origins[1] if origins else ()):
            proofs = [proof for proof in (origins or {})[2] if proof[4] == place]
            leaves = [decode(proof[1]) for proof in proofs]
            try:
                size = max(leaf[8] for leaf in leaves)
                need(size <= self.size, "larger than the directory that this is judged by")
                log = cosigned(note, "audit", self.directory, size)
            except (Invalid, ValueError):
                continue
            for proof, leaf in zip(proofs, leaves, strict=True):
                dated_back = leaf[8] < self.past.least(log.first)
                if not dated_back and included(proof[1], proof[2], log.size, proof[3]) == log.root:
                    self.stood |= {(what, log.first, leaf[8]) for what in (*leaf[9], *leaf[10])}


def logged(label: str, signed: Fields) -> bytes:
    """What the log states of a Provision or Grant."""
    return digest(f"cbm/1/logged-{label}", msgpack.packb(signed, use_bin_type=True))


def acceptance(origins: Fields, header: Fields, core: Fields, receipt: Fields) -> tuple[Fields, Fields]:
    """The proof and the leaf that are about this acceptance."""
    (proof,) = origins[2]
    leaf = decode(proof[1])
    need((leaf[3], leaf[4], leaf[5], leaf[6]) == (receipt[2], receipt[3], receipt[4], header[3]), "another leaf")
    need((leaf[7], leaf[8]) == (receipt[7], receipt[8]), "another time")
    need(leaf[9] == sorted(logged("provision", signed) for signed in core[5]), "other Provisions")
    need(leaf[10] == sorted(logged("grant", signed) for signed in core[6]), "other Grants")
    return proof, leaf


def provision_holds(signed: Fields, moment: Moment) -> str | None:
    """The first provider whose signature does not hold."""
    name = logged("provision", signed)
    for signature in signed[2]:
        if not moment.holds(signature, "cbm/1/provision", signed[1], name):
            return str(signature[1])
    return None


def judge(core: Fields, recipients: list[str], moment: Moment) -> tuple[bool, list[str]]:
    """Whether the transfer was lawful, and for each Provision of others who received what it is about."""
    members = moment.directory.members(moment.size)
    sender = core[3]
    lawful = sender in members and members[sender][2] != 2 and all(code in members for code in recipients)
    grants = [(decode(signed[1]), signed) for signed in core[6]]
    lawful &= all(moment.holds(s[2], "cbm/1/grant", s[1], logged("grant", s)) for _, s in grants)
    passed: list[str] = []
    counted: set[tuple[bytes, str, bytes]] = set()
    for signed in core[5]:
        said = decode(signed[1])
        ok = _terms(core, said, moment)
        for code in recipients:
            ground = code in _admitted(said, moment, late=said[11] < moment.time)
            if ground:
                ok &= core[7] == said[6]
            else:
                ground = _granted(core, said, code, grants, counted, moment)
            ok &= ground
            if sender not in said[2]:
                passed.append(code)
        lawful &= ok and _holds_lawfully(core, said, grants, moment)
    return lawful, passed if lawful else []


def _terms(core: Fields, said: Fields, moment: Moment) -> bool:
    now = moment.time
    withdrawn = any(moment.directory.withdrawn.get((p, said[1]), moment.size) < moment.size for p in said[2])
    return (
        not withdrawn
        and said[10] <= now + AHEAD
        and said.get(8, now) <= now <= said.get(7, now)
        and (core[3] not in said[2] or now <= said[11])
        and core[8] >= said[12]
    )


def _admitted(said: Fields, moment: Moment, *, late: bool) -> set[str]:
    named = set(said[2]) | (set() if late else set(said[3]))
    if said[4] == 3:
        return named | set(moment.directory.members(moment.size))
    if said[4] == 2:
        versions = [c for index, c, _ in moment.directory.charters if index < moment.size and c[1] >= said[5]]
        states = [{member[1] for member in version[3] if member[2] == 1} for version in versions]
        return named | (set.intersection(*states) if states else set())
    return named


def _matching(core: Fields, said: Fields, provider: str, grants: Grants, moment: Moment) -> list[Fields]:
    now = moment.time
    return [
        grant
        for grant, _ in grants
        if grant[2] == provider
        and grant[3] == core[3]
        and (grant.get(4) == said[1] or grant.get(5) in said[13])
        and grant[7] == core[7]
        and grant[8] <= now + AHEAD
        and grant[9] >= now
        and moment.directory.withdrawn.get((provider, grant[1]), moment.size) >= moment.size
    ]


def _holds_lawfully(core: Fields, said: Fields, grants: Grants, moment: Moment) -> bool:
    if core[3] in _admitted(said, moment, late=False):
        return True
    return all(_matching(core, said, provider, grants, moment) for provider in said[2])


def _granted(
    core: Fields,
    said: Fields,
    code: str,
    grants: Grants,
    counted: set[tuple[bytes, str, bytes]],
    moment: Moment,
) -> bool:
    """A use of a Grant of every provider, counted when all are there."""
    chosen = []
    for provider in said[2]:
        found = None
        for grant in _matching(core, said, provider, grants, moment):
            others = {use for use in counted if use[0] == grant[1]} - {(grant[1], code, said[1])}
            if code in grant[6] and len(others) < grant.get(10, 1 << 40):
                found = grant
                break
        if found is None:
            return False
        chosen.append((found[1], code, said[1]))
    counted.update(chosen)
    return True


def withdrawn(directory: Directory, cores: list[Fields], grants: list[bytes]) -> list[str]:
    """Who has withdrawn something that these envelopes carry, or one of these Grants."""
    provisions = [decode(signed[1]) for core in cores for signed in core[5]]
    given = [decode(signed[1]) for core in cores for signed in core[6]] + [decode(decode(raw)[1]) for raw in grants]
    named = {(provider, said[1]) for said in provisions for provider in said[2]} | {(g[2], g[1]) for g in given}
    return [name[0] for name in directory.withdrawn if name in named]
