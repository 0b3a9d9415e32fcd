"""What heads say of streams, for the second verifier ("Evidence files"): no code of the product."""

from itertools import pairwise, product
from typing import Any


def streams(heads: list[tuple[dict[str, Any], Any]], envelopes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Of heads that are dated, each with its envelope, and of the envelopes that the file is about."""
    heads.sort(key=lambda one: place(one[0]))
    found = [("numbered", kept["core"][3]) for kept, _ in heads]
    for (kept, head), sent in product(heads, envelopes):
        to = kept["to"][0]
        named = head[2] and sent["name"] in (*head.get(5, ()), head[3])
        both = (sent["receipt"], kept["receipt"])
        order = None not in both and both[0][7] < both[1][7]
        known = order and named and to in kept["delivered"]
        if known and to in sent["to"] and to not in sent["answered"]:
            found.append(("withheld", to))
    told: dict[Any, list[Any]] = {}
    for kept, head in heads:
        told.setdefault((kept["core"][3], kept["to"][0], head[1]), []).append((kept, head))
    for (sender, _, _), stated in told.items():
        found += [("nothing-sent", sender) for one, two in pairwise(stated) if silent(one, two)]
    return found


def place(kept: dict[str, Any]) -> tuple[int, int]:
    """Time of the receipt, or else of the head itself, and the latter."""
    created = int(kept["core"][9])
    return (created if kept["receipt"] is None else kept["receipt"][7]), created


def silent(one: tuple[dict[str, Any], Any], two: tuple[dict[str, Any], Any]) -> bool:
    """Whether the second says that nothing was sent since the first was made."""
    same = (one[1][2], one[1][3]) == (two[1][2], two[1][3])
    return same and one[0]["core"][9] < min(place(two[0]))
