"""The product with faults that say what they must not: `python -m tests.support.faulty node run --dir DIR`.

A message whose title begins with `fault` meets a programming fault in the request, one in a task that nobody waits for,
one in a thread, and a library that logs its input. All of them have the title in their text.
"""

import asyncio
import logging
import threading
import warnings
from typing import Any

from exchange.cli.main import main
from exchange.node.compose import Composer
from exchange.node.housekeeping import Housekeeper

_send = Composer.send
_tick = Housekeeper.tick
_told: list[str] = []


def _fail(title: str) -> None:
    raise ValueError(f"cannot handle {title}")


async def _fail_later(title: str) -> None:
    _fail(title)


async def send(self: Composer, value: Any, *rest: Any) -> Any:  # noqa: ANN401  # as they come
    """Fail in four ways for some titles."""
    title = str(value.get("record", {}).get("title", {}).get("en", ""))
    if title.startswith("fault"):
        _told.append(title)
        thread = threading.Thread(target=_fail, args=(title,))
        thread.start()
        thread.join()
        logging.getLogger("library").error("it does not like %s", title)
        warnings.warn(f"deprecated: {title}", DeprecationWarning, stacklevel=1)
        asyncio.get_running_loop().create_task(_fail_later(title))  # that nobody waits is the fault
        _fail(title)
    return await _send(self, value, *rest)


async def tick(self: Housekeeper) -> None:
    """From then on a loop of the node fails as well."""
    for title in _told:
        _fail(title)
    await _tick(self)


if __name__ == "__main__":
    setattr(Composer, "send", send)  # noqa: B010  # what is replaced is a method
    setattr(Housekeeper, "tick", tick)  # noqa: B010  # as above
    main()
