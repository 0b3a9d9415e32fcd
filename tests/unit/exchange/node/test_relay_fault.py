"""What counts as a broken connection to the relay, and what is a fault of this program."""

import asyncio

import pytest
import uvloop

from exchange.errors import ExchangeError, Unavailable
from exchange.node.relay_fault import network_faults, reason


def unreachable(fault: BaseException) -> ExchangeError:
    return Unavailable("relay-unreachable", reason(fault))


@pytest.mark.parametrize("fault", [ConnectionResetError(104, "reset"), TimeoutError(), OSError("no route")])
def test_a_connection_that_breaks_is_told_as_that(fault: Exception) -> None:
    with pytest.raises(Unavailable), network_faults(unreachable):
        raise fault


@pytest.mark.parametrize("fault", [RuntimeError("Session is closed"), RuntimeError(), ValueError("File descriptor 7")])
def test_a_fault_of_this_program_stays_one(fault: Exception) -> None:
    with pytest.raises(type(fault)) as told, network_faults(unreachable):
        raise fault
    assert told.value is fault


async def watch_the_number_of_an_open_connection() -> None:
    """What connecting does with a new socket, which the kernel has given the number of one that uvloop still knows."""
    listening = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    try:
        with network_faults(unreachable):
            asyncio.get_running_loop().add_writer(writer.get_extra_info("socket").fileno(), lambda: None)
    finally:
        writer.close()
        listening.close()


def test_a_number_that_uvloop_still_has_in_its_books_is_a_broken_connection() -> None:
    with pytest.raises(Unavailable, match="File descriptor"):
        uvloop.run(watch_the_number_of_an_open_connection())
