"""Records made to cost their reader more than it should pay, in a request or inside an envelope."""

import json
import resource
import subprocess
import sys
from typing import Final

import pytest

from schemas.record_errors import RecordError
from schemas.record_limits import MAX_EXPLAINED_CHARS, MAX_EXPLAINED_VALUES
from schemas.registry import list_schemas, parse_version, self_contained
from schemas.validate import load_json, validate_record
from tests.support.attacks import refused_by_receiver
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, bare_record, record_of, sealed_by
from tests.support.records import example
from tests.support.world import World

MEMBERS: Final = 300_000
READER: Final = """
import sys
from schemas.validate import RecordError, load_json, validate_record
try:
    validate_record(load_json(sys.stdin.buffer.read()))
except RecordError as error:
    print(len(error.faults), error.faults[0].path)
"""
ENOUGH: Final = 1 << 30


def read_in_a_gibibyte(record: object) -> str:
    """What a process that may have a gibibyte of memory says of a record."""
    done = subprocess.run(
        [sys.executable, "-c", READER],
        input=json.dumps(record).encode(),
        capture_output=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (ENOUGH, ENOUGH)),
    )
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout.decode().strip()


@pytest.mark.parametrize(
    "version", ["1." + "9" * 5000 + ".0", "9" * 5000 + ".0.0", "1.10000.0", "1.01.0", "\u0661.0.0"]
)
def test_a_version_that_is_no_number_of_ours(version: str) -> None:
    record = {**bare_record(), "schema_version": version}
    with pytest.raises(RecordError) as caught:
        validate_record(record)
    assert caught.value.faults[0].path == "/schema_version"


def test_the_largest_version_is_read() -> None:
    assert parse_version("9999.0.9999") == (9999, 0, 9999)


async def test_a_version_of_5000_digits_in_an_envelope_is_refused_for_good(
    mng: TestNode, relay: HostileRelay, world: World
) -> None:
    """Put off, it would be delivered again for ever, and sixty-four of them would fill the relay's window."""
    record = json.loads(record_of("UZB"))
    record["schema_version"] = "1." + "9" * 5000 + ".0"
    manifest = world.manifest(("UZB",), json.dumps(record).encode())
    await refused_by_receiver(mng, relay, sealed_by(world, "UZB", ("MNG",), manifest=manifest), "unreadable")


@pytest.mark.timeout(60)
def test_one_member_twice_among_300_000() -> None:
    """Found by comparing each name with all others, it takes hours."""
    names = [*range(MEMBERS), MEMBERS - 1]
    text = "{" + ",".join(f'"{name:x}":0' for name in names) + "}"
    with pytest.raises(RecordError, match="every member once"):
        load_json(text.encode())


@pytest.mark.parametrize("member", ["title", "recipients"])
def test_a_record_with_100_000_faults_does_not_take_all_memory(member: str) -> None:
    """The schema engine copies what holds a fault for each of them: unbounded, this ends the process."""
    many: dict[str, object] = {
        "title": {f"x{number}": 1 for number in range(100_000)},
        "recipients": [str(number) for number in range(100_000)],
    }
    record = {**example("military-activity-notification", "field-exercise"), member: many[member]}
    assert read_in_a_gibibyte(record) == f"1 /{member}"


def test_the_largest_record_whose_faults_are_all_told_fits_as_well() -> None:
    room = MAX_EXPLAINED_VALUES - 150
    names = [f"{number:x}".ljust((MAX_EXPLAINED_CHARS - 8_000) // room, "X") for number in range(room)]
    record = example("military-activity-notification", "field-exercise")
    for member, faults in (("title", dict.fromkeys(names, 1)), ("recipients", names)):
        count, path = read_in_a_gibibyte({**record, member: faults}).split()
        assert (int(count) > 1, path.startswith(f"/{member}")) == (True, True)


def test_no_schema_names_the_form_of_names() -> None:
    """For `propertyNames` the engine copies the whole object at each name: 6 GB for a title of 5,000 languages."""
    assert [
        name for name, version in list_schemas() if "propertyNames" in json.dumps(self_contained(name, version))
    ] == []


@pytest.mark.parametrize(("values", "all_told"), [(20, True), (MAX_EXPLAINED_VALUES, False)])
def test_a_larger_record_is_told_its_first_fault_only(values: int, all_told: bool) -> None:
    record = example("military-activity-notification", "field-exercise")
    record["recipients"] = [f"wrong {number}" for number in range(values)]
    with pytest.raises(RecordError) as caught:
        validate_record(record)
    assert (len(caught.value.faults) >= values) is all_told
    assert (len(caught.value.faults) == 1) is not all_told


def test_a_record_with_one_long_text_is_told_its_first_fault_only() -> None:
    record = example("military-activity-notification", "field-exercise") | {"language": 7, "measure": 7}
    assert faults(record) > 1
    assert faults(record | {"language": "x" * MAX_EXPLAINED_CHARS}) == 1


def faults(record: object) -> int:
    with pytest.raises(RecordError) as caught:
        validate_record(record)
    return len(caught.value.faults)
