"""A relay whose operator has removed the check of consent: `python -m exchange.demo.colluding relay run --dir DIR`.

It is the product's relay with one name replaced. No setting of the product does this; it takes changed code, which is
what an operator who colludes would run.
"""

import exchange.relay.core as relay_core
from exchange.cli.main import main
from exchange.consent.decision import Decision, Ledger
from keys.directory import Directory
from keys.verify import VerifiedHeader


def allow_everything(header: VerifiedHeader, directory: Directory, ledger: Ledger, now: int) -> Decision:  # noqa: ARG001
    """Consent to every transfer, in nobody's name."""
    return Decision((), (), ())


if __name__ == "__main__":
    # The tampering itself.
    setattr(relay_core, "authorise", allow_everything)  # noqa: B010  # the module does not offer the name
    main()
