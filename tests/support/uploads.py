"""An attachment as the API leaves it: sealed on the disk, not yet in a message."""

from exchange.node.draft import Upload
from keys.digests import sha256
from schemas.content import Attachment
from tests.support.node import TestNode


def upload(target: TestNode, data: bytes, filename: str = "map.bin") -> Upload:
    """Seal `data` into a content file."""
    name = target.parts.files.new_name()
    target.parts.files.write_content(name, [data])
    return Upload(Attachment(filename, "application/octet-stream", len(data), sha256(data)), name)
