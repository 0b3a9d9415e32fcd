"""`python -m exchange.bench [FILE]`: prints the table and writes `bench.json`."""

import asyncio
import json
import sys
from pathlib import Path

from exchange.bench.accepting import accept_results
from exchange.bench.auditing import audit_results
from exchange.bench.authorising import authorise_results
from exchange.bench.checkpoints import checkpoint_results
from exchange.bench.importing import import_results
from exchange.bench.result import Result, table
from exchange.bench.sealing import sealing_results
from exchange.bench.validating import validation_results
from exchange.cli.output import print_table


def main() -> None:
    """Measure, print, write. Exits 0 whatever the figures are: a timing is no test."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "bench.json")
    offline = [
        *sealing_results(),
        *checkpoint_results(),
        *authorise_results(),
        *validation_results(),
        *import_results(),
        *audit_results(),
    ]
    results: list[Result] = [*offline, *asyncio.run(accept_results())]
    path.write_text(json.dumps([result.as_json() for result in results], indent=1) + "\n", "utf-8")
    print_table(*table(results))


main()
