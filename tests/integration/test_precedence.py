"""What is urgent overtakes what waits."""

from pathlib import Path

from tests.support.running import MEASURE, budget, client, in_state, running
from tests.support.waiting import answered

ROUTINE = 50


async def test_a_flash_message_overtakes_fifty_routine_ones_that_waited_longer(tmp_path: Path) -> None:
    async with running(tmp_path / "site", ("KAZ", "MNG")) as processes:
        processes.stop("MNG")
        async with client(processes, "KAZ") as kaz:
            routine = [await kaz.send(["MNG"], MEASURE, budget(f"routine {number}")) for number in range(ROUTINE)]
            for sent in routine:
                await in_state(kaz, sent.id, "accepted")
            flash = await kaz.send(["MNG"], MEASURE, budget("flash"), precedence="flash")
            await in_state(kaz, flash.id, "accepted")
        await processes.start("MNG")
        async with client(processes, "MNG") as mng:

            async def all_there() -> list[str] | None:
                ids = [row.id async for row in mng.messages()]
                return ids if len(ids) == ROUTINE + 1 else None

            order = await answered(all_there, "everything that waited is delivered")
            first_event = await anext(mng.events())
    assert order[0] == flash.id == first_event.data["id"]
