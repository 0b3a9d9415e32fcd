"""`cbm consent refusals` against a provider's real API, and `cbm consent check` of what it wrote, offline."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from exchange.cli.main import run
from exchange.wiring.relay_directory import write_directory
from schemas.canon import encode
from schemas.files import REFUSED, encode_file
from schemas.receipt import SIGNED_RECEIPT
from schemas.refused import RefusedTransfer
from tests.support.hostile_relay import HostileRelay
from tests.support.node import api_of, node, sealed_by
from tests.support.offline import Cbm, ok
from tests.support.world import Sealed, World


@pytest.fixture
def world() -> World:
    """A present one: the command reads the clock."""
    return World(now=int(time.time()))


def forbidden(world: World) -> Sealed:
    """KAZ's information, for MNG only, passed on to UZB."""
    return world.forward(sealed_by(world, "KAZ", ("MNG",)), "MNG", ["UZB"])


def written(folder: Path, world: World, sealed: Sealed, rule: str = "no-consent", receipt: bool = False) -> None:
    """The files of a notice and of the directory."""
    signed = encode(SIGNED_RECEIPT, world.receipt(sealed)) if receipt else None
    notice = RefusedTransfer(sealed.header_bytes, signed, rule, world.now)
    (folder / "refused.cbm").write_bytes(encode_file(REFUSED, notice))
    write_directory(folder / "directory.cbm", world.entries)


CHECK = ("consent", "check", "refused.cbm", "--directory", "directory.cbm")


def test_who_wanted_to_pass_on_what_to_whom_is_proved_by_the_forwarders_signature(
    folder: Path, cbm: Cbm, world: World
) -> None:
    sealed = forbidden(world)
    written(folder, world, sealed)
    told = ok(cbm(*CHECK, "--json"))
    assert (told["sender"], told["recipients"], told["rule"], told["judgement"]) == (
        "MNG",
        ["UZB"],
        "no-consent",
        "agrees",
    )
    provision = sealed.header.core.provisions[0].provision.id.hex()
    assert told["proved"][0].startswith("MNG signed the transfer to UZB, made ")
    assert told["proved"][1] == f"KAZ signed Provision {provision}, which it carries"
    assert "(no-consent)" in told["proved"][2]
    assert len(told["stated"]) == 1
    code, out, err = cbm(*CHECK)
    assert (code, err) == (0, "")
    assert "proved, under this charter:\n  MNG signed the transfer" in out


def test_with_a_receipt_the_moment_is_proved_as_well(folder: Path, cbm: Cbm, world: World) -> None:
    written(folder, world, forbidden(world), receipt=True)
    told = ok(cbm(*CHECK, "--json"))
    assert told["stated"] == []
    assert any(line.startswith("the relay accepted it ") for line in told["proved"])


def test_a_rule_that_does_not_follow_from_the_file_is_only_stated(folder: Path, cbm: Cbm, world: World) -> None:
    written(folder, world, forbidden(world), "embargo")
    told = ok(cbm(*CHECK, "--json"))
    assert told["judgement"] == "cannot-tell"
    assert "embargo" in told["stated"][-1]
    assert not any("embargo" in line for line in told["proved"])


def test_a_lawful_transfer_that_is_called_refused_does_not_pass(folder: Path, cbm: Cbm, world: World) -> None:
    written(folder, world, sealed_by(world, "KAZ", ("MNG",)), receipt=True)
    code, out, err = cbm(*CHECK)
    assert (code, out) == (1, "")
    assert "the transfer was lawful" in err


def test_an_altered_file_or_another_directory_proves_nothing(folder: Path, cbm: Cbm, world: World) -> None:
    written(folder, world, forbidden(world))
    data = (folder / "refused.cbm").read_bytes()
    at = len(data) // 2
    (folder / "refused.cbm").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    code, out, err = cbm(*CHECK)
    assert (code, out, err.count("\n")) == (1, "", 1)
    (folder / "refused.cbm").write_bytes(data)
    (folder / "directory.cbm").unlink()
    write_directory(folder / "directory.cbm", World(seed="other").entries)
    assert cbm(*CHECK)[0] == 1


def test_a_directory_is_named_once(folder: Path, cbm: Cbm, world: World) -> None:
    written(folder, world, forbidden(world))
    assert cbm("consent", "check", "refused.cbm")[0] == 2
    assert cbm(*CHECK, "--dir", ".")[0] == 2


async def test_the_proof_that_a_provider_was_told_is_listed_and_written_once(
    folder: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    relay, sealed = HostileRelay(world), forbidden(world)
    async with node(folder, world, "KAZ", relay) as kaz, api_of(kaz) as api:
        relay.refusals["KAZ"] = [RefusedTransfer(sealed.header_bytes, None, "no-consent", world.now)]
        await kaz.pull()
        token = folder / "token"
        token.write_text(await kaz.token("foreign-affairs", ("consent",)))
        token.chmod(0o600)
        access = ["--node", api.url, "--token-file", str(token)]
        capsys.readouterr()

        async def cbm(*words: str) -> tuple[int, str]:
            code = await asyncio.to_thread(run, ["consent", "refusals", *words, *access])
            return code, capsys.readouterr().out

        code, out = await cbm("--json")
        (row,) = json.loads(out)
        assert (code, row["sender"], row["rule"], row["judgement"]) == (0, "MNG", "no-consent", "agrees")
        code, out = await cbm()
        assert (code, out.split("\t")[2:5]) == (0, ["MNG", "UZB", "no-consent"])
        short = out.split("\t")[0]
        assert row["header_digest"].startswith(short)
        assert (await cbm(short, "--out", "told.cbm"))[0] == 0
        assert (await cbm(short, "--out", "told.cbm"))[0] == 1
        assert (await cbm("--out", "other.cbm"))[0] == 2
        assert (await cbm("ff" * 32))[0] == 1
        shown = await cbm(short)
        assert shown[0] == 0
        assert "rule: no-consent" in shown[1]
    write_directory(folder / "directory.cbm", world.entries)
    assert run(["consent", "check", "told.cbm", "--directory", "directory.cbm"]) == 0
