"""Trust policies: the specification's example, what no policy may say, and what counts."""

from dataclasses import replace

import pytest

from keys.checkpoint import SignedCheckpoint
from keys.errors import BadSignature, Untrusted
from keys.policy import Group, Policy, parse_policy
from schemas.errors import DecodeError, Reason
from schemas.limits import MAX_POLICY, MAX_POLICY_NAMES
from tests.support.notary import Log, Node, plain_key

LOG = Log()
SIGNED = LOG.checkpoint(7)
NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
NODES = {name: Node("KAZ", seed=name) for name in NAMES}
VKEYS = {name: node.keys.ed25519.vkey for name, node in NODES.items()}
LOG_LINE = f"log {LOG.keys.ed25519.vkey}\n"
WITNESSES = "".join(f"witness {name} {vkey}\n" for name, vkey in VKEYS.items())
# tlog-policy, "Example policy", with keys.
EXAMPLE = (
    LOG_LINE
    + WITNESSES
    + "group X-witnesses 2 X1 X2 X3\n\ngroup Y-witnesses any Y1 Y2 Y3\n"
    + "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
)


def read(text: str) -> Policy:
    return parse_policy(text.encode())


def cosigned(*names: str) -> SignedCheckpoint:
    signed = SIGNED
    for name in names:
        signed = signed.add(NODES[name].lines(SIGNED)[:1])
    return signed


def holds(policy: Policy, signed: SignedCheckpoint) -> bool:
    try:
        policy.verify(signed)
    except Untrusted:
        return False
    return True


def test_the_specification_s_example_is_read() -> None:
    policy = read(EXAMPLE)
    assert [log.key.name for log in policy.logs] == [LOG.keys.origin]
    assert tuple(policy.witnesses) == NAMES
    assert policy.groups["X-witnesses"] == Group(2, ("X1", "X2", "X3"))
    assert policy.groups["X-and-Y"] == Group(2, ("X-witnesses", "Y-witnesses"))
    assert policy.quorum == "X-and-Y"


@pytest.mark.parametrize(
    ("names", "enough"),
    [
        (("X1", "X2", "Y1"), True),
        (("X1", "X3", "Y2", "Y3"), True),
        (NAMES, True),
        (("X1", "X2", "X3"), False),
        (("X1", "Y1", "Y2", "Y3"), False),
        (("X1", "X1", "Y1"), False),
        ((), False),
    ],
)
def test_two_of_three_and_one_of_three(names: tuple[str, ...], enough: bool) -> None:
    assert holds(read(EXAMPLE), cosigned(*names)) is enough


def test_no_quorum_needs_no_witness_but_the_log() -> None:
    policy = read(LOG_LINE + "quorum none\n")
    assert holds(policy, SIGNED)
    assert not holds(policy, Log("thief").checkpoint(7))
    assert not holds(policy, SIGNED.only(LOG.keys.mldsa65))
    assert not holds(read("quorum none\n"), SIGNED)


def test_a_log_s_key_counts_for_its_own_origin_only() -> None:
    other = Log(origin="another.example/log")
    policy = read(LOG_LINE + "quorum none\n")
    signed = SignedCheckpoint(other.checkpoint(7).checkpoint, SIGNED.signatures)
    assert not holds(policy, signed)


def test_a_log_may_sign_with_each_kind_of_key_that_checkpoints_know() -> None:
    node = Node("KAZ")
    lattice = replace(node.keys.mldsa44, name=LOG.keys.origin)
    lines = replace(node.keys, mldsa44=lattice).sign(SIGNED.checkpoint, 9, *node.signers())
    assert holds(read(f"log {LOG.keys.mldsa65.vkey}\nquorum none\n"), SIGNED)
    assert holds(read(f"log {lattice.vkey}\nquorum none\n"), SignedCheckpoint(SIGNED.checkpoint, lines))
    with pytest.raises(DecodeError):
        read(f"log {node.keys.ed25519.vkey}\nquorum none\n")


def test_a_single_witness_may_be_the_quorum_with_either_kind_of_key() -> None:
    node = NODES["X1"]
    for key in (node.keys.ed25519, node.keys.mldsa44):
        policy = read(f"{LOG_LINE}witness W {key.vkey} https://witness.example/\nquorum W\n")
        assert policy.witnesses["W"].url == "https://witness.example/"
        assert holds(policy, SIGNED.add(node.lines(SIGNED)))
        assert not holds(policy, SIGNED)


def test_a_known_line_that_does_not_verify_refuses_the_whole() -> None:
    line = replace(NODES["Y3"].lines(SIGNED)[0], value=bytes(72))
    with pytest.raises(BadSignature):
        read(EXAMPLE).verify(cosigned("X1", "X2", "Y1").add((line,)))


def test_space_comments_and_order_mean_nothing() -> None:
    spaced = EXAMPLE.replace(" ", " \t ").replace("\n", " \t\n# a comment: log, quorum none\n\t \n")
    assert read("  # first\n" + spaced) == read(EXAMPLE)
    lines = EXAMPLE.splitlines(keepends=True)
    assert read("".join([*lines[1:], lines[0]])) == read(EXAMPLE)


def test_names_are_opaque_bytes() -> None:
    text = WITNESSES.replace("X1", "K").replace("X2", "\u212a") + "group g all K \u212a\nquorum g\n"
    assert read(text).groups["g"].members == ("K", "\u212a")
    raw = text.encode().replace(b"quorum g", b"group \xff any K\nquorum \xff")
    assert parse_policy(raw).quorum == "\udcff"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.CONTRADICTION),
        (LOG_LINE, Reason.CONTRADICTION),
        ("quorum none", Reason.MALFORMED),
        ("quorum none\nquorum none\n", Reason.CONTRADICTION),
        ("quorum\n", Reason.MALFORMED),
        ("quorum none none\n", Reason.MALFORMED),
        ("quorum X1\n" + WITNESSES, Reason.CONTRADICTION),
        ("Quorum none\n", Reason.MALFORMED),
        ("quorum none\r\n", Reason.MALFORMED),
        ("quorum none\x7f\n", Reason.MALFORMED),
        ("quorum\u00a0none\n", Reason.MALFORMED),
        ("log\nquorum none\n", Reason.MALFORMED),
        (LOG_LINE[:-1] + " url more\nquorum none\n", Reason.MALFORMED),
        (LOG_LINE * 2 + "quorum none\n", Reason.CONTRADICTION),
        (f"witness none {VKEYS['X1']}\nquorum none\n", Reason.CONTRADICTION),
        (f"witness A {VKEYS['X1']}\nwitness A {VKEYS['X2']}\nquorum A\n", Reason.CONTRADICTION),
        (f"witness A {VKEYS['X1']}\nwitness B {VKEYS['X1']}\nquorum A\n", Reason.CONTRADICTION),
        (f"witness A {LOG.keys.ed25519.vkey}\nquorum A\n", Reason.OUT_OF_RANGE),
        ("witness A\nquorum A\n", Reason.MALFORMED),
        (WITNESSES + "group X1 any X2\nquorum none\n", Reason.CONTRADICTION),
        (WITNESSES + "group g any none\nquorum g\n", Reason.CONTRADICTION),
        (WITNESSES + "group g any g\nquorum g\n", Reason.CONTRADICTION),
        (WITNESSES + "group g any h\ngroup h any X1\nquorum g\n", Reason.CONTRADICTION),
        (WITNESSES + "group g 2 X1 X1\nquorum g\n", Reason.CONTRADICTION),
        (WITNESSES + "group g any\nquorum g\n", Reason.MALFORMED),
        (WITNESSES + "group g 0 X1\nquorum g\n", Reason.OUT_OF_RANGE),
        (WITNESSES + "group g 3 X1 X2\nquorum g\n", Reason.OUT_OF_RANGE),
        (WITNESSES + "group g 01 X1 X2\nquorum g\n", Reason.NON_CANONICAL),
        (WITNESSES + "group g some X1 X2\nquorum g\n", Reason.MALFORMED),
    ],
)
def test_a_policy_that_says_too_little_or_too_much_is_refused(text: str, reason: Reason) -> None:
    with pytest.raises(DecodeError) as fault:
        read(text)
    assert fault.value.reason is reason


def test_a_policy_has_bounds() -> None:
    empty = "#\n" * ((MAX_POLICY - len("quorum none\n")) // 2) + "quorum none\n"
    assert len(empty) == MAX_POLICY
    assert read(empty).quorum is None
    with pytest.raises(DecodeError, match="too-large"):
        read("\n" + empty)
    groups = [f"group g{number} any X1\n" for number in range(MAX_POLICY_NAMES - len(NAMES) + 1)]
    assert read("".join([WITNESSES, *groups[:-1], "quorum none\n"])).groups.keys() >= {"g0"}
    with pytest.raises(DecodeError, match="too-large"):
        read("".join([WITNESSES, *groups, "quorum none\n"]))
    logs = "".join(f"log {plain_key(f'log{number}')[0].vkey}\n" for number in range(MAX_POLICY_NAMES))
    assert len(read(logs + "quorum none\n").logs) == MAX_POLICY_NAMES
    with pytest.raises(DecodeError, match="too-large"):
        read(logs + LOG_LINE + "quorum none\n")
