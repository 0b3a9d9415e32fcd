"""`python -m exchange.cli`: the same as the command `cbm`."""

from exchange.cli.main import main

main()
