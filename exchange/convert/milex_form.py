"""The layout of the United Nations military-expenditure form as a table, in both of its kinds.

Head: rows `name, value ...`. Matrix: a row `code, resource costs, <column> ...`, then one row for each resource, of
which only the code counts. A cell of the matrix holds a decimal number, or says why there is none; an empty one says
nothing.
Notes on cells follow as rows `note, <row code>, <column>, text`.
"""

from typing import Final

# How a table says the states that have no amount.
STATES: Final = {"nil": "nil", "n/a": "not-available", "withheld": "withheld"}
STATE_WORDS: Final = {state: word for word, state in STATES.items()}

FORMS_WITHOUT_MATRIX: Final = ("nil", "single-figure")
MATRIX_START: Final = "code"
MATRIX_LABEL: Final = "resource costs"
COLUMNS: Final = {
    "standardized": (
        "strategic",
        "land",
        "naval",
        "air",
        "other-forces",
        "central-support",
        "un-peacekeeping",
        "assistance",
        "emergency-aid",
        "undistributed",
        "total",
    ),
    "simplified": ("land", "naval", "air", "other-forces", "total"),
}
ROWS: Final = {
    "1": "Personnel",
    "1.1": "Conscripts",
    "1.2": "Other military personnel, including reserves",
    "1.3": "Civilian personnel",
    "2": "Operations and maintenance",
    "2.1": "Materials for current use",
    "2.2": "Maintenance and repair",
    "2.3": "Purchased services",
    "2.4": "Rent",
    "2.5": "Other",
    "3": "Procurement and construction",
    "3.1": "Procurement",
    "3.1.1": "Aircraft and engines",
    "3.1.2": "Missiles, including conventional warheads",
    "3.1.3": "Nuclear warheads and bombs",
    "3.1.4": "Ships and boats",
    "3.1.5": "Armoured vehicles",
    "3.1.6": "Artillery",
    "3.1.7": "Other ordnance and ground force weapons",
    "3.1.8": "Ammunition",
    "3.1.9": "Electronics and communications",
    "3.1.10": "Non-armoured vehicles",
    "3.1.11": "Other",
    "3.2": "Construction",
    "3.2.1": "Air bases, airfields",
    "3.2.2": "Missile sites",
    "3.2.3": "Naval bases and facilities",
    "3.2.4": "Electronics facilities",
    "3.2.5": "Personnel facilities",
    "3.2.6": "Training facilities",
    "3.2.7": "Warehouses, depots, repair facilities",
    "3.2.8": "Command and administration facilities",
    "3.2.9": "Fortifications",
    "3.2.10": "Shelters",
    "3.2.11": "Land",
    "3.2.12": "Other",
    "4": "Research and development",
    "4.1": "Basic and applied research",
    "4.2": "Development, testing and evaluation",
}
GROUPS: Final = ("1", "2", "3", "4")

# Names of the head, in the order in which an export writes them; those of the second list may come once per language.
SINGLE: Final = (
    "form",
    "fiscal year",
    "basis",
    "currency",
    "scale",
    "prices",
    "total",
    "total note",
    "contact country",
    "contact email",
    "contact phone",
)
BY_LANGUAGE: Final = ("remarks", "contact name", "contact role")


def rows_of(form: str) -> tuple[str, ...]:
    """Row codes that a form has."""
    return tuple(ROWS) if form == "standardized" else GROUPS
