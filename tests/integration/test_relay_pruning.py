"""A relay whose old entries were pruned goes on with its log, and proves to members all that it proved before."""

from pathlib import Path

import pytest

from exchange.audit.fault import Broken
from exchange.audit.pruned import KEPT_BY_RELAY, Terms
from exchange.storage.audit_pruning import Plan, planned, prune
from exchange.storage.audit_reading import audit_reading
from exchange.wiring.auditing import verify_relay_log
from keys.witness import Seen
from schemas.audit import AuditKind
from schemas.canon import encode
from schemas.limits import DAY
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT
from schemas.relayapi import ACKS, Acks
from tests.integration.test_log_crash import remembering
from tests.support.node_log import NodeLog
from tests.support.relay import Call, Server
from tests.support.world import Sealed, World

NEEDED = {AuditKind.ACCEPTED, AuditKind.ACKNOWLEDGED, AuditKind.ANCHORED, AuditKind.OPERATOR, AuditKind.CONFIGURED}


async def worked(server: Server, world: World) -> Sealed:
    """An envelope that was handed over and answered, one that was refused, an anchor."""
    sealed = world.envelope(["MNG"])
    await server.submit(sealed)
    assert (await server.signed(Call("MNG", "GET", "/v1/mailbox", nonce="a" * 32))).status == 200
    ack = encode(SIGNED_ACKNOWLEDGEMENT, world.acknowledgement(sealed, "MNG", time=world.now))
    assert (await server.request("POST", "/v1/acknowledgements", encode(ACKS, Acks((ack,))))).status == 204
    assert (await server.post(world.envelope(["MNG"], core={"created": world.now + 1000}))).status >= 400
    log = NodeLog(world, "KAZ")
    log.grow(3)
    assert (await server.signed(log.anchor())).status == 200
    await server.logged()
    return sealed


async def proofs(server: Server, sealed: Sealed) -> list[int]:
    query = f"sender=KAZ&envelope={sealed.header.core.id.hex()}"
    paths = [
        f"/v1/log/audit/proof?{query}",
        f"/v1/log/audit/proof?{query}&recipient=MNG",
        "/v1/anchors/KAZ/proof?size=3",
    ]
    return [(await server.signed(Call("KAZ", "GET", path, nonce=f"{n:032x}"))).status for n, path in enumerate(paths)]


def prunable(database: Path, world: World) -> Plan:
    with audit_reading(database) as reading:
        return planned(database, world.now + 40 * DAY, reading.relay_published(), KEPT_BY_RELAY)


async def test_a_pruned_log_goes_on_and_proves_what_it_proved(tmp_path: Path, world: World) -> None:
    memory: dict[str, dict[str, Seen]] = {}
    database = tmp_path / "relay.db"
    async with remembering(tmp_path, world, memory) as server:
        await server.witnessed()
        sealed = await worked(server, world)
        # Beside the relay, while it runs.
        plan = prunable(database, world)
        assert prune(database, plan, world.now + 80 * DAY, KEPT_BY_RELAY) == plan.count > 0
        found = verify_relay_log(tmp_path, world.directory, Terms())
        assert (found.pruned, found.lost) == (plan.count, 0)
        assert await proofs(server, sealed) == [200, 200, 200]
        await server.submit(world.envelope(["MNG"]))
        await server.logged()
    async with remembering(tmp_path, world, memory) as server:
        await server.witnessed()
        assert await proofs(server, sealed) == [200, 200, 200]
        await server.submit(world.envelope(["MNG"]))
        await server.logged()
        assert not server.app.metrics.registry.get_sample_value(
            "cbm_relay_cosignatures_refused_total", {"log": "audit", "code": "inconsistent"}
        )
    # The relay's own clock stayed where it was: whoever pruned had set its clock ahead.
    with pytest.raises(Broken) as caught:
        verify_relay_log(tmp_path, world.directory, Terms())
    assert caught.value.fault.index == plan.end
    with audit_reading(database) as reading:
        kinds = {reading.classes[row[0]][0] for row in reading.page(0, plan.end) if row[4] is not None}
    assert kinds <= NEEDED
    assert {AuditKind.ACCEPTED, AuditKind.ACKNOWLEDGED, AuditKind.ANCHORED} <= kinds
