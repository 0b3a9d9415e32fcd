"""The relay as a process: killed, stopped, asked for its status, under load, over TLS."""

import asyncio
import io
import json
import signal
import ssl
import time
from pathlib import Path

import aiohttp
import pytest
import trustme

from keys.digests import charter_digest, key_id, sha256
from keys.directory import begin
from keys.verify import verify_receipt
from schemas.canon import decode
from schemas.charter import Relay
from schemas.envelope import frame_prefix
from schemas.limits import MAX_SMALL_OBJECT, MIB
from schemas.receipt import SIGNED_RECEIPT
from schemas.statement import read_entry
from tests.support.relay_process import Process, cbm, identity_in, process, set_up
from tests.support.waiting import until
from tests.support.witnesses import witnessed, witnessing
from tests.support.world import Sealed, World


@pytest.fixture
def world() -> World:
    """A world of the present: a process has the machine's clock."""
    return World(now=int(time.time()))


async def post(http: aiohttp.ClientSession, url: str, sealed: Sealed) -> bytes:
    """Hand over an envelope; the receipt."""
    frame = io.BytesIO(frame_prefix(sealed.header_bytes) + sealed.header_bytes + sealed.body)
    async with http.post(url + "/v1/envelopes", data=frame) as response:
        answer = await response.read()
        assert response.status == 202, answer
        return answer


async def publish(http: aiohttp.ClientSession, url: str, world: World, relay: Relay) -> None:
    """The world's directory, cosigned by all its members."""
    for entry in world.entries[1:]:
        async with http.post(url + "/v1/directory", data=entry) as response:
            assert response.status == 200, await response.text()
    async with witnessing(world, relay.keys) as witnesses:
        witnesses.url = url
        await witnessed(http, url)


async def test_a_killed_relay_has_everything_for_which_it_gave_a_receipt(tmp_path: Path, world: World) -> None:
    folder = set_up(tmp_path, world, "--plain")
    large = [world.envelope(["MNG"], body=bytes([n]) * 300_000) for n in range(5)]
    items = [world.envelope(["MNG", "UZB"]) for _ in range(200)]
    receipts: dict[int, bytes] = {}
    # As many as a node has under way.
    turns = asyncio.Semaphore(16)

    async def submit(number: int, sealed: Sealed, http: aiohttp.ClientSession, url: str) -> None:
        async with turns:
            receipts[number] = await post(http, url, sealed)

    everything = list(enumerate([*large, *items]))
    async with aiohttp.ClientSession() as http:
        with process(folder) as first:
            url = await first.url()
            await publish(http, url, world, identity_in(folder))
            tasks = [asyncio.create_task(submit(number, sealed, http, url)) for number, sealed in everything]
            await until(lambda: len(receipts) >= 60)
            await first.end(signal.SIGKILL)
            await asyncio.gather(*tasks, return_exceptions=True)
        told = dict(receipts)
        assert 60 <= len(told) < len(everything)
        (folder / "bodies" / "orphan").write_bytes(b"left by the crash")
        with process(folder) as second:
            url = await second.url()
            async with http.get(url + "/v1/directory") as response:
                assert response.headers["Cbm-Directory-Size"] == str(len(world.entries))
            for number, sealed in everything:
                again = await post(http, url, sealed)
                assert told.get(number, again) == again
            status = json.loads(cbm("relay", "status", "--dir", str(folder), "--json").stdout)
    assert (status["health"], status["accepted"], status["held"]) == ("ok", len(everything), len(everything))
    assert [(box["member"], box["waiting"]) for box in status["mailboxes"]] == [("MNG", 205), ("UZB", 200)]
    assert len(list((folder / "bodies").iterdir())) == len(large)


async def test_receipts_verify_under_the_charter(tmp_path: Path, world: World) -> None:
    folder = set_up(tmp_path, world, "--plain")
    relay = identity_in(folder)
    async with aiohttp.ClientSession() as http:
        with process(folder) as running:
            url = await running.url()
            await publish(http, url, world, relay)
            sealed = world.envelope(["MNG"])
            receipt = decode(SIGNED_RECEIPT, await post(http, url, sealed), 2 * MAX_SMALL_OBJECT)
            async with http.get(url + "/v1/directory") as response:
                data = await response.read()
    entry = read_entry(data[4 : 4 + int.from_bytes(data[:4], "big")])
    verified = verify_receipt(receipt, begin(entry, charter_digest(entry.body)))
    assert (verified.relay, verified.header_digest) == (key_id(relay.keys), sealed.digest)


async def test_large_bodies_do_not_fill_the_memory(tmp_path: Path, world: World) -> None:
    folder = set_up(tmp_path, world, "--plain")
    items = [world.envelope(["MNG"], body=bytes([n]) * (64 * MIB)) for n in range(3)]
    async with aiohttp.ClientSession() as http:
        with process(folder) as running:
            url = await running.url()
            await publish(http, url, world, identity_in(folder))
            await asyncio.gather(*(post(http, url, sealed) for sealed in items))
            assert peak(running) < 200 * MIB
            assert sorted(path.stat().st_size for path in (folder / "bodies").iterdir()) == [64 * MIB] * 3


def peak(running: Process) -> int:
    """The most memory that the process has had at once, bytes."""
    lines = Path(f"/proc/{running.pid}/status").read_text("ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


async def test_a_relay_stops_in_good_order(tmp_path: Path, world: World) -> None:
    folder = set_up(tmp_path, world, "--plain")
    with process(folder) as running:
        await running.url()
        asked = cbm("relay", "status", "--dir", str(folder), "--json")
        assert (asked.returncode, json.loads(asked.stdout)["directory_size"]) == (0, 1)
        assert await running.end(signal.SIGTERM) == 0
    asked = cbm("relay", "status", "--dir", str(folder), "--json")
    assert (asked.returncode, json.loads(asked.stdout)["health"]) == (1, "stopped")
    events = [json.loads(line)["event"] for line in (tmp_path / "relay.log").read_text("utf-8").splitlines()]
    assert [event for event in events if event.startswith("relay.")] == ["relay.ready", "relay.stopped"]


async def test_the_status_tells_how_far_the_logs_are_and_who_cosigned(tmp_path: Path, world: World) -> None:
    folder = set_up(tmp_path, world, "--plain")
    with process(folder) as running:
        url = await running.url()
        before = json.loads(cbm("relay", "status", "--dir", str(folder), "--json").stdout)["logs"]
        async with aiohttp.ClientSession() as http:
            await publish(http, url, world, identity_in(folder))
        after = json.loads(cbm("relay", "status", "--dir", str(folder), "--json").stdout)["logs"]
    assert [(log["log"], log["size"], log["published_size"]) for log in before] == [
        ("directory", 1, 0),
        # The charter was installed, the relay started, with these settings.
        ("audit", 3, 0),
    ]
    assert (before[0]["published"], before[0]["age_seconds"], before[0]["cosigned_by"]) == (None, None, [])
    directory = after[0]
    assert directory["size"] == directory["signed_size"] == directory["published_size"] == len(world.entries)
    assert set(directory["cosigned_by"]) <= {"KAZ", "MNG", "UZB", "XAA"}
    assert len(directory["cosigned_by"]) >= 3
    assert 0 <= directory["age_seconds"] < 60


async def test_a_relay_that_died_is_not_reported_as_healthy(tmp_path: Path, world: World) -> None:
    folder = set_up(tmp_path, world, "--plain")
    with process(folder) as running:
        await running.url()
        await running.end(signal.SIGKILL)
    asked = cbm("relay", "status", "--dir", str(folder), "--json")
    assert (asked.returncode, json.loads(asked.stdout)["health"]) == (1, "stopped")


async def test_only_tls_1_3_is_spoken(tmp_path: Path, world: World) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(chain, append=True)
    certificate.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    folder = set_up(tmp_path, world, "--tls-cert", str(chain), "--tls-key", str(key))
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode("ascii"))
    assert identity_in(folder).tls_digests == (sha256(der),)
    trusting, old = ssl.create_default_context(), ssl.create_default_context()
    for context in (trusting, old):
        authority.configure_trust(context)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with aiohttp.ClientSession() as http:
        with process(folder) as running:
            url = await running.url()
            async with http.get(url + "/healthz", ssl=trusting) as response:
                assert response.status == 200
            with pytest.raises(aiohttp.ClientConnectorError):
                await http.get(url + "/healthz", ssl=old)
            with pytest.raises(aiohttp.ClientError):
                await http.get(url.replace("https", "http") + "/healthz")
            assert cbm("relay", "status", "--dir", str(folder)).returncode == 0
