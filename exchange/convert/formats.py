"""Every conversion by its name, with its bounds: what the command line and the interface of a node offer alike."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from exchange.convert.cap import CAP_MEDIA_TYPE, cap_to_record, record_to_cap
from exchange.convert.geojson import records_to_geojson
from exchange.convert.ical import records_to_ical
from exchange.convert.imported import Imported
from exchange.convert.limits import MAX_STIX_BYTES, MAX_TABLE_BYTES
from exchange.convert.milex import milex_to_record, record_to_milex
from exchange.convert.stix import record_to_stix, stix_to_record
from exchange.convert.vcard import record_to_vcard
from schemas.record_limits import MAX_CAP_BYTES, MAX_RECORD_BYTES

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A file to import, with what it cannot say.

    Attributes:
        template: members of the record, see `imported.complete`; without `record_id` where the format names its own.
        filename: name of the attachment that will carry the file, if the record cannot.
        accepted_senders: senders whose CAP alerts may break the schema.
        cap_1_1: convert an alert of CAP 1.1.
    """

    data: bytes
    template: Json
    filename: str
    accepted_senders: frozenset[str] = frozenset()
    cap_1_1: bool = False


@dataclass(frozen=True, slots=True)
class Importer:
    """A format that becomes a record.

    Attributes:
        largest: bytes of the largest file; more need not be read.
        names_record: whether the record's id follows from the file.
        convert: raises ConversionError or RecordError.
    """

    largest: int
    names_record: bool
    convert: Callable[[Source], Imported]


@dataclass(frozen=True, slots=True)
class Exporter:
    """A format that records become.

    Attributes:
        media_type: of the file; `suffix`: its ending.
        several: whether one file holds several records.
        convert: takes valid records, or exactly one; raises ConversionError or RecordError.
    """

    media_type: str
    suffix: str
    several: bool
    convert: Callable[[Sequence[Json]], bytes]


def _cap(source: Source) -> Imported:
    return cap_to_record(
        source.data,
        source.template,
        accepted_senders=source.accepted_senders,
        convert_1_1=source.cap_1_1,
        filename=source.filename,
    )


def _milex(kind: str | None) -> Importer:
    return Importer(MAX_TABLE_BYTES, False, lambda source: milex_to_record(source.data, source.template, kind))


IMPORTERS: Final[dict[str, Importer]] = {
    "cap": Importer(MAX_CAP_BYTES, True, _cap),
    "milex-csv": _milex("csv"),
    "milex-xlsx": _milex("xlsx"),
    "stix": Importer(MAX_STIX_BYTES, False, lambda source: stix_to_record(source.data, source.template)),
}
# The first bytes say which of the two.
MILEX: Final = _milex(None)


def _one(convert: Callable[[Json], bytes]) -> Callable[[Sequence[Json]], bytes]:
    def whole(records: Sequence[Json]) -> bytes:
        (record,) = records
        return convert(record)

    return whole


def _geojson(records: Sequence[Json]) -> bytes:
    return json.dumps(records_to_geojson(records), ensure_ascii=False, indent=2).encode("utf-8")


_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EXPORTERS: Final[dict[str, Exporter]] = {
    "cap": Exporter(CAP_MEDIA_TYPE, "xml", False, _one(record_to_cap)),
    "csv": Exporter("text/csv", "csv", False, _one(lambda record: record_to_milex(record, "csv"))),
    "geojson": Exporter("application/geo+json", "geojson", True, _geojson),
    "ical": Exporter("text/calendar", "ics", True, records_to_ical),
    "stix": Exporter("application/stix+json", "json", False, _one(record_to_stix)),
    "vcard": Exporter("text/vcard", "vcf", False, _one(record_to_vcard)),
    "xlsx": Exporter(_XLSX, "xlsx", False, _one(lambda record: record_to_milex(record, "xlsx"))),
}


def record_text(record: Json) -> bytes:
    """A record as JSON to read, indented as long as it then stays within the bound of a record."""
    text = json.dumps(record, ensure_ascii=False, indent=2).encode("utf-8") + b"\n"
    if len(text) > MAX_RECORD_BYTES:
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return text
