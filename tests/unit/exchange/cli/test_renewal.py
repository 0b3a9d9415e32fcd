"""A node's next signing key, from the request to its use, and at every point where a crash may come between."""

from pathlib import Path

import pytest

from exchange.node.config import load_config
from exchange.wiring.custody import KEYS, NEXT_SIGNING, open_signing
from exchange.wiring.rekey import adopt_next, settle
from exchange.wiring.statements import NEXT_STATEMENT, REQUEST, STATEMENT, certified_keys
from keys.errors import KeystoreFault
from schemas.ids import KeyId
from tests.support.offline import PASSPHRASE, Cbm, names, ok, one_line
from tests.support.token import PIN, SoftToken

SECRET = PASSPHRASE.encode()
NODE = ("--dir", "node")


def certify(cbm: Cbm, out: str, root: str = "KAZ.root") -> str:
    """The fingerprint of the key in the node's newest request, now certified."""
    request = ("--request", f"node/{REQUEST}", "--days", "400")
    told = ok(cbm("keys", "signing", "certify", "--root", root, *request, "--out", out, "--json"))
    fingerprint: str = told["fingerprint"]
    return fingerprint


@pytest.fixture
def node(folder: Path, cbm: Cbm, charter: str) -> Path:
    """A node whose first key is certified."""
    relay = ("--charter", "charter", "--relay", "http://127.0.0.1:1")
    ok(cbm("node", "init", *NODE, "--member", "KAZ", *relay, "--json"))
    certify(cbm, "first")
    ok(cbm("node", "certify", *NODE, "first", "--json"))
    return folder / "node"


def in_use(node: Path) -> KeyId:
    return open_signing(node, load_config(node), SECRET).key_id


def named(fingerprint: str) -> KeyId:
    return KeyId(bytes.fromhex(fingerprint.replace(" ", "")))


def test_the_present_key_stays_in_use_until_the_next_is_adopted(cbm: Cbm, node: Path) -> None:
    first = in_use(node)
    asked = ok(cbm("node", "rekey", *NODE, "--json"))["signing_key"]
    assert ok(cbm("keys", "show", f"node/{REQUEST}", "--json"))["fingerprint"] == asked
    assert certify(cbm, "second") == asked
    before = (node / STATEMENT).read_bytes()
    assert ok(cbm("node", "certify", *NODE, "second", "--json"))["signing_key"] == asked
    assert (in_use(node), (node / STATEMENT).read_bytes()) == (first, before)
    assert certified_keys(node) == {first, named(asked)}
    settle(node, SECRET)
    assert in_use(node) == first
    adopt_next(node)
    settle(node, SECRET)
    assert in_use(node) == named(asked)
    assert certified_keys(node) == {named(asked)}
    assert not (node / KEYS / f"{NEXT_SIGNING}.key").exists()
    settle(node, SECRET)
    assert in_use(node) == named(asked)


def test_a_crash_after_adoption_is_finished_at_the_next_start(
    cbm: Cbm, node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ok(cbm("node", "rekey", *NODE, "--json"))["signing_key"]
    certify(cbm, "second")
    ok(cbm("node", "certify", *NODE, "second", "--json"))
    adopt_next(node)

    def crash(*_: object) -> None:
        raise KeystoreFault("the power is gone")

    with monkeypatch.context() as patch:
        # The key is written, and what it came from not yet removed.
        patch.setattr("keys.keystore.Keystore.delete", crash)
        with pytest.raises(KeystoreFault):
            settle(node, SECRET)
    settle(node, SECRET)
    assert in_use(node) == named(asked)
    assert not (node / KEYS / f"{NEXT_SIGNING}.key").exists()


def test_the_key_before_last_is_not_certified_by_mistake(cbm: Cbm, node: Path) -> None:
    ok(cbm("node", "rekey", *NODE, "--json"))
    certify(cbm, "second")
    again = ok(cbm("node", "rekey", *NODE, "--json"))["signing_key"]
    assert "another key than" in one_line(cbm("node", "certify", *NODE, "second"), 1)
    assert "another key than" in one_line(cbm("node", "certify", *NODE, "first"), 1)
    assert not (node / NEXT_STATEMENT).exists()
    assert certify(cbm, "third") == again


def test_another_next_key_takes_the_statement_of_the_former_with_it(cbm: Cbm, node: Path) -> None:
    ok(cbm("node", "rekey", *NODE, "--json"))
    certify(cbm, "second")
    ok(cbm("node", "certify", *NODE, "second", "--json"))
    ok(cbm("node", "rekey", *NODE, "--json"))
    assert not (node / NEXT_STATEMENT).exists()
    assert certified_keys(node) == {in_use(node)}


def test_a_root_that_is_not_the_member_s_certifies_nothing_here(folder: Path, cbm: Cbm, node: Path) -> None:
    ok(cbm("keys", "root", "create", "--member", "KAZ", "--out", "other.root", "--json"))
    ok(cbm("node", "rekey", *NODE, "--json"))
    certify(cbm, "forged", root="other.root")
    assert "may not" in one_line(cbm("node", "certify", *NODE, "forged"), 1)
    assert not (node / NEXT_STATEMENT).exists()


def test_a_wrong_passphrase_or_a_token_that_is_not_there_makes_no_key(folder: Path, cbm: Cbm, node: Path) -> None:
    before = (names(node), names(node / KEYS), (node / REQUEST).read_bytes())
    assert "--token-key" in one_line(cbm("node", "rekey", *NODE, "--token-key", "x"), 1)
    (folder / "passphrase").write_text("another passphrase")
    assert "wrong passphrase" in one_line(cbm("node", "rekey", *NODE), 1)
    assert (names(node), names(node / KEYS), (node / REQUEST).read_bytes()) == before


def test_only_statements_are_published_and_an_absent_relay_is_told(cbm: Cbm, node: Path) -> None:
    assert "is a charter-draft" in one_line(cbm("node", "publish", *NODE, "draft"), 1)
    assert "is a signing-request" in one_line(cbm("node", "publish", *NODE, f"node/{REQUEST}"), 1)
    assert "does not answer" in one_line(cbm("node", "publish", *NODE, "first"), 1)


def test_a_key_in_a_token_is_followed_by_another_in_it(folder: Path, cbm: Cbm, charter: str, token: SoftToken) -> None:
    pin = folder / "pin"
    pin.write_bytes(PIN)
    pin.chmod(0o600)
    place = ("--token-module", token.place.module, "--token-label", token.place.label, "--token-key", token.place.key)
    relay = ("--charter", "charter", "--relay", "http://127.0.0.1:1")
    ok(cbm("node", "init", *NODE, "--member", "KAZ", *relay, *place, "--token-pin-file", "pin", "--json"))
    node = folder / "node"
    certify(cbm, "first")
    ok(cbm("node", "certify", *NODE, "first", "--json"))
    first = in_use(node)
    assert "needed there" in one_line(cbm("node", "rekey", *NODE), 1)
    assert "already" in one_line(cbm("node", "rekey", *NODE, "--token-key", token.place.key), 1)
    asked = ok(cbm("node", "rekey", *NODE, "--token-key", f"{token.place.key}-2", "--json"))["signing_key"]
    certify(cbm, "second")
    ok(cbm("node", "certify", *NODE, "second", "--json"))
    settle(node, SECRET)
    assert in_use(node) == first
    adopt_next(node)
    settle(node, SECRET)
    assert in_use(node) == named(asked)
    config = load_config(node)
    assert config.token is not None
    assert (config.token.key, config.token.label) == (f"{token.place.key}-2", token.place.label)
