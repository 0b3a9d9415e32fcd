"""Time-stamps of the audit log's checkpoints: once a day, verified before they are kept, and never in anybody's way."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from exchange.clock import SetClock
from exchange.node.config import Timestamps
from exchange.node.stamping import FOLDER, Stamper
from exchange.storage.audit_port import AuditCheckpoint
from keys.errors import BadSignature, KeystoreFault, Untrusted
from keys.logsigner import sign_node_checkpoint
from keys.primitives import Certificates
from keys.timestamp import MAX_STAMP, stamp_request, verify_stamp
from schemas.ids import Digest
from schemas.limits import DAY, HOUR, MAX_CLOCK_AHEAD
from tests.support.authority import Authority, authority
from tests.support.cbm import answer, cbm, line
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, node
from tests.support.world import World


@pytest.fixture
async def tsa(tmp_path: Path) -> AsyncIterator[Authority]:
    async with authority(tmp_path / "tsa") as made:
        yield made


@pytest.fixture
async def kaz(tmp_path: Path, world: World, tsa: Authority) -> AsyncIterator[TestNode]:
    """Its clock is the machine's, as the authority's is; its log has one anchored checkpoint."""
    async with node(tmp_path, world, "KAZ", HostileRelay(world)) as opened:
        settings = Timestamps(url=tsa.url, certificates=str(tsa.certificates))
        config = opened.parts.config.model_copy(update={"timestamps": settings})
        opened.parts = replace(opened.parts, config=config, clock=SetClock(int(time.time())))
        await anchored(opened, 3)
        yield opened


async def anchored(tested: TestNode, size: int) -> None:
    root = Digest(size.to_bytes(32, "big"))
    note = sign_node_checkpoint(tested.parts.keyring.signing, size, root).encode()
    heads, now = tested.parts.stores.audit_heads, tested.clock.now()
    await heads.save(AuditCheckpoint(size, root, note, now))
    await heads.save_anchored(size, now)


def stamper(tested: TestNode) -> Stamper:
    (tested.folder / "log").mkdir(exist_ok=True)
    return Stamper(tested.parts, tested.folder)


def written(tested: TestNode) -> list[str]:
    return sorted(path.name for path in (tested.folder / FOLDER).glob("*"))


async def test_a_checkpoint_is_stamped_once_a_day_and_anyone_can_verify_it(kaz: TestNode, tsa: Authority) -> None:
    loop = stamper(kaz)
    for _ in range(3):
        await loop.turn()
    await anchored(kaz, 5)
    await loop.turn()
    assert written(kaz) == ["3.checkpoint", "3.tsr"]
    kaz.clock.time += DAY
    await loop.turn()
    # The authority's clock is a day behind by now.
    assert (len(tsa.asked), kaz.alarms()) == (2, ["timestamp"])
    folder = kaz.folder / FOLDER
    assert tsa.holds(folder / "3.checkpoint", folder / "3.tsr")
    (row,) = answer(await cbm("audit", "timestamps", folder, "--certificates", tsa.certificates, "--json"))
    assert (row["entries"], row["log"], row["root"]) == (3, "cbm.exchange/audit/KAZ", f"{3:064x}")
    assert row["time"].startswith(time.strftime("%Y-%m-%dT", time.gmtime(kaz.clock.now() - DAY)))


async def test_a_restarted_node_does_not_ask_again_on_the_same_day(kaz: TestNode, tsa: Authority) -> None:
    await stamper(kaz).turn()
    await anchored(kaz, 5)
    await stamper(kaz).turn()
    assert (len(tsa.asked), kaz.alarms()) == (1, [])


async def test_without_settings_nobody_is_asked(kaz: TestNode, tsa: Authority) -> None:
    kaz.parts = replace(kaz.parts, config=kaz.parts.config.model_copy(update={"timestamps": None}))
    await stamper(kaz).turn()
    assert (tsa.asked, written(kaz)) == ([], [])


Fault = Callable[[Authority], Callable[[bytes], Awaitable[web.StreamResponse]]]


def body(make: Callable[[Authority, bytes], bytes], status: int = 200) -> Fault:
    def of(tsa: Authority) -> Callable[[bytes], Awaitable[web.StreamResponse]]:
        async def say(query: bytes) -> web.StreamResponse:
            return web.Response(body=make(tsa, query), status=status)

        return say

    return of


def flipped(stamp: bytes) -> bytes:
    return stamp[:-1] + bytes([stamp[-1] ^ 1])


FAULTS: dict[str, Fault] = {
    "of-something-else": body(lambda tsa, _: tsa.stamp(stamp_request(b"something else").encoded)),
    "replayed": body(lambda tsa, _: (tsa.folder / "tsr").read_bytes()),
    "altered": body(lambda tsa, query: flipped(tsa.stamp(query))),
    "no-stamp": body(lambda _tsa, _query: b"<html>welcome</html>"),
    "endless": body(lambda _tsa, _query: bytes(MAX_STAMP + 1)),
    "an-error": body(lambda tsa, query: tsa.stamp(query), 500),
    "a-redirect": body(lambda tsa, query: tsa.stamp(query), 302),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_what_does_not_hold_is_not_kept_and_told_once_a_day(kaz: TestNode, tsa: Authority, name: str) -> None:
    stamped = await kaz.parts.stores.audit_heads.newest(anchored=True)
    assert stamped is not None
    tsa.stamp(stamp_request(stamped.note).encoded)
    tsa.answer = FAULTS[name](tsa)
    loop = stamper(kaz)
    for _ in range(3):
        await loop.turn()
        kaz.clock.time += HOUR
    assert (written(kaz), kaz.alarms()) == ([], ["timestamp"])
    assert len(tsa.asked) == 3
    tsa.answer = None
    kaz.clock.time -= 3 * HOUR
    await stamper(kaz).turn()
    assert written(kaz) == ["3.checkpoint", "3.tsr"]


@pytest.mark.parametrize("off", [MAX_CLOCK_AHEAD + 5, -MAX_CLOCK_AHEAD - 5])
async def test_an_authority_of_another_time_is_not_believed(kaz: TestNode, off: int) -> None:
    kaz.clock.time += off
    await stamper(kaz).turn()
    assert (written(kaz), kaz.alarms()) == ([], ["timestamp"])


async def test_one_that_is_away_or_not_trusted_is_an_alarm(kaz: TestNode, tsa: Authority, tmp_path: Path) -> None:
    async with authority(tmp_path / "other") as other:
        foreign = Timestamps(url=tsa.url, certificates=str(other.certificates))
    away = Timestamps(url=other.url, certificates=str(tsa.certificates))
    missing = Timestamps(url=tsa.url, certificates="no-such.pem")
    for settings in (foreign, away, missing):
        kaz.parts = replace(kaz.parts, config=kaz.parts.config.model_copy(update={"timestamps": settings}))
        await stamper(kaz).turn()
        assert written(kaz) == []
        kaz.clock.time += DAY
    assert kaz.alarms() == ["timestamp"] * 3


async def test_a_stamp_beside_another_checkpoint_is_found_out_offline(kaz: TestNode, tsa: Authority) -> None:
    await stamper(kaz).turn()
    await anchored(kaz, 5)
    folder = kaz.folder / FOLDER
    other = await kaz.parts.stores.audit_heads.newest(anchored=True)
    assert other is not None
    (folder / "3.checkpoint").write_bytes(other.note)
    told = line(await cbm("audit", "timestamps", folder, "--certificates", tsa.certificates), 1)
    assert "3.tsr" in told


def test_certificates_without_a_root_are_refused(tmp_path: Path) -> None:
    made = Authority(tmp_path)
    made.make()
    for pem in (b"", b"text", (tmp_path / "signer.pem").read_bytes()):
        with pytest.raises(Untrusted):
            Certificates.read(pem)
    both = made.certificates.read_bytes() + (tmp_path / "signer.pem").read_bytes()
    assert (len(Certificates.read(both).roots), len(Certificates.read(both).others)) == (1, 1)


def test_garbage_is_a_bad_signature_and_nothing_else(tmp_path: Path) -> None:
    made = Authority(tmp_path)
    made.make()
    trusted, asked = Certificates.read(made.certificates.read_bytes()), stamp_request(b"data")
    stamp = made.stamp(asked.encoded)
    assert abs(verify_stamp(stamp, b"data", trusted, asked.nonce) - time.time()) < 60
    for size in range(0, len(stamp), 7):
        with pytest.raises(BadSignature):
            verify_stamp(stamp[:size], b"data", trusted)


def test_without_the_library_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keys.timestamp._MISSING", True)
    with pytest.raises(KeystoreFault, match="timestamps"):
        stamp_request(b"data")
