"""What a ministry's program imports to use its node: `from exchange.client import NodeClient`.

It needs aiohttp and nothing else of this project: no keys, no cryptography, no schemas.
"""

from exchange.client.errors import BadAnswer, ClientError, NotPrivate, Problem, Unreachable
from exchange.client.models import (
    Attachment,
    AttachmentInfo,
    Box,
    Converted,
    Delivery,
    Event,
    Exported,
    Member,
    Members,
    Message,
    Queued,
    Summary,
    Warned,
)
from exchange.client.node import NodeClient
from exchange.client.retry import Retry

__all__ = [
    "Attachment",
    "AttachmentInfo",
    "BadAnswer",
    "Box",
    "ClientError",
    "Converted",
    "Delivery",
    "Event",
    "Exported",
    "Member",
    "Members",
    "Message",
    "NodeClient",
    "NotPrivate",
    "Problem",
    "Queued",
    "Retry",
    "Summary",
    "Unreachable",
    "Warned",
]
