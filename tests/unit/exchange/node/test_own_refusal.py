"""What a node writes down, and answers, when it refuses a transfer of its own ministry."""

from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from exchange.consent.authorise import authorise
from exchange.consent.decision import Ledger
from exchange.errors import Forbidden
from exchange.node.consent import require_consent
from tests.support.world import World


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    """Capturing leaves logging configured, as it is only in a process that serves."""
    yield
    structlog.reset_defaults()


def test_the_rule_the_recipient_the_provider_and_whom_to_ask(world: World) -> None:
    sealed = world.forward(world.envelope(["MNG"], "KAZ"), "MNG", ["UZB"])
    decision = authorise(world.verified(sealed), world.directory, Ledger(), world.now)
    with capture_logs() as lines, pytest.raises(Forbidden) as refused:
        require_consent(decision, b"m" * 16)
    facts = {"code": "no-consent", "recipient": "UZB", "provider": "KAZ", "ask": ["KAZ"], "message": "6d" * 16}
    (line,) = lines
    assert line["event"] == "transfer.refused"
    assert {name: line[name] for name in facts} == facts
    assert refused.value.extra["ask"] == ["KAZ"]


def test_what_is_allowed_is_not_written_down(world: World) -> None:
    sealed = world.envelope(["MNG"], "KAZ")
    with capture_logs() as lines:
        require_consent(authorise(world.verified(sealed), world.directory, Ledger(), world.now), b"m" * 16)
    assert lines == []
