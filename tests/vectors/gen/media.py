"""Vectors of what travels on media: a node's request for a key, and what an alarm is proved with."""

from collections.abc import Iterator

from keys.ceremony import request_signing_key
from schemas.canon import encode
from schemas.contexts import Context
from schemas.errors import Reason
from schemas.ids import MemberId
from schemas.observation import OBSERVATION, SIGNED_OBSERVATION, Observation, ObservationKind, SignedObservation
from schemas.receipt import SIGNED_RECEIPT
from schemas.statement import SIGNED_KEY_REQUEST
from tests.support.changes import identity
from tests.support.wire import ABSENT, changed
from tests.vectors.gen.model import Vector, decode
from tests.vectors.gen.valid import Story


def objects(story: Story) -> Iterator[Vector]:
    """A request, and a receipt that KAZ holds to be out of date."""
    world = story.world
    node = identity("node", "KAZ")
    made_from = node.key_id + world.now.to_bytes(8, "big")
    request = world.kept.once(
        "request", made_from, lambda: encode(SIGNED_KEY_REQUEST, request_signing_key(node, world.now))
    )
    receipt = encode(SIGNED_RECEIPT, world.receipt(story.original))
    observer = world.nodes["KAZ"]
    seen = Observation(
        ObservationKind.RECEIPT_SIZE,
        MemberId("KAZ"),
        observer.key_id,
        world.now,
        held=b"a signed note",
        receipt=receipt,
    )
    body = encode(OBSERVATION, seen)
    signed = SignedObservation(body, observer.sign_bytes(Context.OBSERVATION, body))
    yield decode("kaz", "signed-key-request", request)
    yield decode("receipt-size", "observation", body)
    yield decode("receipt-size", "signed-observation", encode(SIGNED_OBSERVATION, signed))
    yield decode("kind-unknown", "observation", changed(body, {1: 8}), Reason.OUT_OF_RANGE)
    yield decode("without-its-path", "observation", changed(body, {10: ABSENT}), Reason.MISSING_FIELD)
