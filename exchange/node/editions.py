"""Editions of the Catalogue in force: those that the charter names, which its quorum adopted (provision 1.8)."""

from exchange.errors import Invalid, Unavailable
from schemas import catalogue
from schemas.charter import Charter


def default_edition(charter: Charter) -> str:
    """The newest edition that the charter names and this program knows. Raises Unavailable if it knows none."""
    known = [edition.catalogue_id for edition in catalogue.editions() if edition.catalogue_id in charter.editions]
    if not known:
        raise Unavailable("edition-unknown", f"the charter names {_names(charter)}: update this program to a newer one")
    return known[-1]


def is_adopted(catalogue_id: str, charter: Charter) -> bool:
    """Whether the charter names an edition."""
    return catalogue_id in charter.editions


def require_adopted(catalogue_id: str, charter: Charter) -> None:
    """Raises Invalid for a record of an edition that the members have not adopted."""
    if not is_adopted(catalogue_id, charter):
        detail = f"/record/catalogue_id: the members have not adopted this edition: name {_names(charter)}"
        raise Invalid("edition-not-adopted", detail, {"path": "/record/catalogue_id"})


def _names(charter: Charter) -> str:
    return " or ".join(charter.editions)
