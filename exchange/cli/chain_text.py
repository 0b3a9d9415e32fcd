"""A chain of records as lines of text: what acted on what, by whom, how each stands, and which one holds now."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NOTHING_HOLDS = "nothing of this chain that this token may see holds now"


def chain_lines(rows: Sequence[Mapping[str, Any]], current: str | None) -> Iterator[str]:
    """Lines of a chain as the node writes it, each record under the one that it acts on."""
    yield "chain:"
    if not rows:
        yield "  -"
        return
    for row in rows:
        indent = "  " * (int(row["depth"]) + 1)
        when = row["evidenced_at"] or "not accepted yet"
        mark = " <- holds now" if row["message"] == current else ""
        by = " and ".join(row["by"])
        yield f"{indent}{row['action']} by {by}, {when}, {row['language']}: {row['state']}{mark}"
        yield f"{indent}  record {row['record_id']}, message {row['message']}"
        if row["reason"]:
            yield f"{indent}  {'because' if row['state'] == 'refused' else 'in part refused'}: {row['reason']}"
        if row["missing"]:
            yield f"{indent}  refers to what is not here: {', '.join(row['missing'])}"
    if current is None:
        yield f"  {_NOTHING_HOLDS}"
