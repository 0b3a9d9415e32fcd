"""Write the vectors: python -m tests.vectors.gen.make_vectors [--fresh]

Everything is seeded but HPKE wraps and ML-DSA signatures; those are kept in kept.json and made anew only with --fresh
or when what they are made from has changed.
"""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.vectors.gen import audits, bounds, changes, classes, consents, defects, later, logs, media, valid
from tests.vectors.gen.kept import FILE, FOLDER, Kept, VectorWorld
from tests.vectors.gen.model import STAGES, Vector

_PARTS: Final[tuple[Callable[[valid.Story], Iterator[Vector]], ...]] = (
    valid.objects,
    valid.frames,
    valid.derived,
    defects.encoding,
    defects.consent,
    defects.envelopes,
    defects.contents,
    defects.answers,
    defects.statements,
    later.signatures,
    later.times,
    later.consent,
    later.opening,
    later.streams,
    bounds.lasting,
    bounds.late,
    logs.logs,
    changes.objects,
    changes.defects,
    changes.entries,
    changes.consent,
    classes.objects,
    classes.opening,
    consents.messages,
    consents.objects,
    consents.defects,
    consents.object_defects,
    consents.signatures,
    media.objects,
    audits.objects,
    audits.defects,
)
WORLD: Final = "world.json"


def text(document: dict[str, Any]) -> str:
    """A document as it is stored."""
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def make(kept: Kept) -> dict[str, str]:
    """Every file by its path below this folder."""
    world = VectorWorld(kept)
    story = valid.Story(world)
    files = {WORLD: text(_world(world))}
    for part in _PARTS:
        for vector in part(story):
            name = f"{vector.stage}/{vector.name}.json"
            if name in files:
                raise ValueError(f"two vectors are named {name}")
            files[name] = text(vector.document())
    return files


def _world(world: VectorWorld) -> dict[str, Any]:
    """The directory that the vectors are judged against, and the private seeds of this fictional world."""
    return {
        "note": "directory and throw-away private seeds of the vectors; every key here is public and protects nothing",
        "now": world.now,
        "charter_digest": world.charter_digest.hex(),
        "entries": [entry.hex() for entry in world.entries],
        "signing_seeds": {c: i.entropy.hex() for c, i in world.nodes.items()},
        "epoch_seeds": {code: [epoch.seed.hex() for epoch in epochs] for code, epochs in world.epochs.items()},
    }


def main() -> None:
    """Write all files, and remove those that are no vector any more."""
    kept = Kept({}) if "--fresh" in sys.argv[1:] else Kept.load()
    files = make(kept)
    for stage in STAGES:
        (FOLDER / stage).mkdir(exist_ok=True)
        for path in (FOLDER / stage).glob("*.json"):
            if f"{stage}/{path.name}" not in files:
                path.unlink()
    for name, content in files.items():
        (FOLDER / name).write_text(content, "utf-8")
    FILE.write_text(json.dumps({n: kept.values[n] for n in sorted(kept.used)}, indent=1) + "\n", "utf-8")
    sys.stdout.write(f"{len(files)} files\n")


if __name__ == "__main__":
    main()
