"""Attacks on the relay's storage, on its time for judging, and on the names of keys in its directory."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.relay.limits import URGENT_PART
from exchange.storage.port import SMALL_BODY
from keys.directory import extend
from keys.identity import EpochIdentity, SigningIdentity
from schemas.canon import encode
from schemas.grant import SIGNED_GRANT
from schemas.ids import ClassTag, MemberId
from schemas.limits import DAY, MAX_EPOCH_GRACE, MAX_GRANT_PAIRS, MAX_TIME
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT
from schemas.relayapi import ACKS, Acks
from schemas.statement import read_entry
from schemas.terms import Precedence
from tests.support.attacks import refused_by_relay, relay_facts
from tests.support.realm import epoch_entry, epoch_statement, signing_entry, signing_statement
from tests.support.relay import Server, relay
from tests.support.wire import changed, fields
from tests.support.world import Sealed, World

LARGE = b"c" * (SMALL_BODY + 1)


def length(sealed: Sealed) -> int:
    return len(sealed.header_bytes) + len(sealed.body)


class TestStorage:
    @pytest.mark.parametrize("urgent", [False, True])
    async def test_a_sender_that_nobody_answers_fills_its_own_quota_only(
        self, tmp_path: Path, world: World, urgent: bool
    ) -> None:
        core = {"precedence": Precedence.PRIORITY if urgent else Precedence.ROUTINE}
        first, second = (world.envelope(["MNG"], "UZB", core=core) for _ in range(2))
        both = length(first) + length(second)
        # Routine leaves a quarter to what is more urgent.
        for missing in (0, 1):
            part = 10**9 if urgent else URGENT_PART
            quota = next(q for q in range(both, 2 * both) if q - q // part >= both) - missing
            limits = {"sender_bytes": quota, "mailbox_bytes": 10**6}
            folder = tmp_path / str(missing)
            folder.mkdir()
            async with relay(folder, world, limits=limits) as server:
                await server.submit(first)
                answer = await server.post(second)
                if not missing:
                    assert answer.status == 202
                    continue
                assert (answer.status, answer.code) == (429, "sender-quota")
                assert answer.headers["Retry-After"] == "1"
                assert server.rows("envelopes") == 1
                await server.submit(world.envelope(["MNG"], "KAZ"))
                ack = encode(SIGNED_ACKNOWLEDGEMENT, world.acknowledgement(first, "MNG"))
                assert (await server.request("POST", "/v1/acknowledgements", encode(ACKS, Acks((ack,))))).status == 204
                await server.submit(second)

    async def test_a_mailbox_that_its_node_does_not_empty_is_full_for_itself_only(
        self, tmp_path: Path, world: World
    ) -> None:
        flash = {"precedence": Precedence.FLASH}
        first = world.envelope(["MNG"], "KAZ", core=flash)
        second = world.envelope(["MNG", "XAA"], "UZB", core=flash)
        for missing in (0, 1):
            both = length(first) + length(second)
            limits = {"sender_bytes": both - 2, "mailbox_bytes": both - missing}
            folder = tmp_path / str(missing)
            folder.mkdir()
            async with relay(folder, world, limits=limits) as server:
                await server.submit(first)
                answer = await server.post(second)
                if not missing:
                    assert answer.status == 202
                    continue
                assert (answer.status, answer.code) == (429, "mailbox-quota")
                assert answer.problem["recipient"] == "MNG"
                assert server.rows("envelopes") == 1
                await server.submit(world.envelope(["XAA"], "UZB"))

    async def test_two_uploads_at_once_do_not_exceed_a_quota_together(self, tmp_path: Path, world: World) -> None:
        two = [world.envelope(["MNG"], body=LARGE, core={"precedence": Precedence.FLASH}) for _ in range(2)]
        limits = {"sender_bytes": length(two[0]) + length(two[1]) - 1, "mailbox_bytes": 10**6}
        async with relay(tmp_path, world, limits=limits) as server:
            answers = await asyncio.gather(*(server.post(sealed) for sealed in two))
            assert sorted(answer.status for answer in answers) == [202, 429]
            assert (server.rows("envelopes"), len(server.files())) == (1, 1)

    async def test_an_envelope_to_a_colluding_key_is_not_kept_until_the_year_9999(
        self, world: World, server: Server
    ) -> None:
        key = EpochIdentity(b"k" * 96)
        lasting = epoch_statement("KAZ", 9, key, world.now - 56 * DAY)
        lasting = replace(lasting, created=world.now, destroy_at=lasting.valid_until + MAX_EPOCH_GRACE)
        entry = epoch_entry(lasting, world.nodes["KAZ"])
        assert (await server.request("POST", "/v1/directory", entry)).status == 200
        world.directory = extend(world.directory, [read_entry(entry)])
        core = {"expires": lasting.destroy_at - DAY}
        first = world.envelope(["KAZ"], "UZB", core=core)
        wrap = world.wrap(first.secrets["KAZ"], first.header.core_bytes, "KAZ", key.public, key.key_id)
        kept = world.envelope(["KAZ"], "UZB", core=core, wraps={"KAZ": wrap})
        await refused_by_relay(server, kept, 422, "expires-beyond-limit")

    async def test_a_key_that_is_never_destroyed_is_not_published(self, world: World, server: Server) -> None:
        honest = epoch_entry(epoch_statement("UZB", 9, EpochIdentity(b"k" * 96), world.now), world.nodes["UZB"])
        before = relay_facts(server)
        for_ever = changed(honest, {2: changed(fields(honest)[2], {6: MAX_TIME})})
        answer = await server.request("POST", "/v1/directory", for_ever)
        assert (answer.status, answer.code) == (400, "contradiction")
        assert relay_facts(server) == before


class TestWork:
    async def test_more_grants_than_a_judge_looks_at_are_refused_unread(self, world: World, server: Server) -> None:
        tag = ClassTag(b"t" * 16)
        manifest = world.manifest()
        provisions = [world.signed_provision(manifest, ["KAZ"], ["MNG"], class_tags=(tag,)) for _ in range(64)]
        grants = [world.grant(None, "KAZ", "MNG", ["UZB"], class_tag=tag) for _ in range(MAX_GRANT_PAIRS // 64)]
        lawful = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=provisions, grants=grants)
        await server.submit(lawful)
        before = relay_facts(server)
        one_more = world.grant(provisions[0].provision, "KAZ", "MNG", ["UZB"])
        listed = sorted([*grants, one_more], key=lambda signed: signed.grant.id)
        core = changed(lawful.header.core_bytes, {6: [fields(encode(SIGNED_GRANT, signed)) for signed in listed]})
        header = changed(lawful.header_bytes, {1: core})
        answer = await server.post(replace(lawful, header_bytes=header))
        assert (answer.status, answer.code) == (400, "contradiction")
        assert relay_facts(server) == before

    async def test_a_grant_that_was_used_a_thousand_times_is_counted_and_not_listed(
        self, world: World, server: Server
    ) -> None:
        """An account that grows must not make every later envelope slower."""
        tag = ClassTag(b"t" * 16)
        grant = world.grant(None, "KAZ", "MNG", ["UZB"], class_tag=tag, uses=129)
        manifest = world.manifest()

        def batch(count: int) -> Sealed:
            provisions = [world.signed_provision(manifest, ["KAZ"], ["MNG"], class_tags=(tag,)) for _ in range(count)]
            return world.envelope(["UZB"], "MNG", manifest=manifest, provisions=provisions, grants=[grant])

        for count in (64, 64):
            await server.submit(batch(count))
        assert server.rows("uses") == 128
        await refused_by_relay(server, batch(2), 403, "no-consent")
        last = batch(1)
        await server.submit(last)
        await server.submit(last)
        assert server.rows("uses") == 129
        await refused_by_relay(server, batch(1), 403, "no-consent")


class TestKeys:
    async def test_a_squatted_key_does_not_shut_its_owner_out(self, world: World, server: Server) -> None:
        """UZB's root certifies the key that MNG's node is about to have certified."""
        new = SigningIdentity.from_entropy(MemberId("MNG"), b"n" * 96)
        for thief_or_owner in ("UZB", "MNG"):
            statement = signing_statement(thief_or_owner, new, world.now)
            entry = signing_entry(statement, world.roots[thief_or_owner])
            assert (await server.request("POST", "/v1/directory", entry)).status == 200
            world.directory = extend(world.directory, [read_entry(entry)])
        world.nodes = {**world.nodes, "MNG": new}
        await server.submit(world.envelope(["KAZ"], "MNG"))
        async with server.session("MNG"):
            pass
        posed = world.envelope(["KAZ"], "UZB", signer=world.nodes["XAA"], core={"key_id": new.key_id})
        await refused_by_relay(server, posed, 403, "bad-signature")
