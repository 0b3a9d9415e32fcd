"""The form of an evidence file ("Evidence files") for the second verifier: no code of the product."""

from tests.standards.second_directory import Fields, decode, digest, need, split

LINE = b"cbm/1 evidence\n"
ALWAYS = {1, 2, *range(5, 14)}
ASCENDING = (9, 10, 11, 13)


def read(data: bytes) -> tuple[Fields, list[bytes]]:
    """The `Evidence` and the entries of the directory. Raises Invalid or ValueError."""
    need(data.startswith(LINE), "first line")
    first, *entries = split(data[len(LINE) :])
    evidence = decode(first)
    need(ALWAYS <= set(evidence) <= ALWAYS | {3, 4}, "fields of Evidence")
    need((3 in evidence) != (4 in evidence), "about one of the two")
    need(isinstance(evidence[1], str) and isinstance(evidence[2], int), "member and time")
    lists = [evidence[number] for number in ASCENDING]
    for item in (*evidence[6], *evidence[7]):
        need({1, 4} <= set(item) <= {1, 2, 3, 4, 5}, "fields of EnvelopeEvidence")
        lists.append(item[4])
        if 3 in item:
            _origins(item[3])
    for item in evidence[12]:
        need(set(item) == {1, 2, 3, 4}, "fields of LoggedEntry")
    need(all(one == sorted(set(one)) for one in lists), "a list out of order")
    return evidence, entries


def _origins(said: Fields) -> None:
    places = [(proof[4], proof[2]) for proof in said[2]]
    need(places == sorted(set(places)), "proofs out of order")
    need(said[1] == sorted(set(said[1])), "checkpoints out of order")
    need({place for place, _ in places} == set(range(len(said[1]))), "a checkpoint that no proof names")


def belongs(evidence: Fields, core: Fields) -> bool:
    """Whether an envelope carries the Provision that the file is about."""
    return 3 not in evidence or evidence[3] in [digest("cbm/1/provision-digest", one[1]) for one in core[5]]
