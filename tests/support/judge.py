"""Ask `authorise` about an envelope of a test world, in the words of its answer."""

from exchange.consent.authorise import authorise
from exchange.consent.decision import Decision, Ground, Ledger, Rule
from tests.support.world import Sealed, World


def decide(world: World, sealed: Sealed, ledger: Ledger | None = None, now: int | None = None) -> Decision:
    """The decision at `now`, by default the world's."""
    at = world.now if now is None else now
    return authorise(world.verified(sealed), world.directory, ledger or Ledger(), at)


def rules(world: World, sealed: Sealed, ledger: Ledger | None = None, now: int | None = None) -> set[Rule]:
    """The rules that refuse it; a refusal gives no permission and takes no use."""
    decision = decide(world, sealed, ledger, now)
    assert decision.allowed is (not decision.refusals)
    assert decision.allowed or (decision.permissions, decision.uses) == ((), ())
    return {refusal.rule for refusal in decision.refusals}


def grounds(world: World, sealed: Sealed, ledger: Ledger | None = None) -> dict[str, Ground]:
    """Each recipient's ground; only for an envelope that is allowed."""
    decision = decide(world, sealed, ledger)
    assert decision.refusals == ()
    return {permission.recipient: permission.ground for permission in decision.permissions}
