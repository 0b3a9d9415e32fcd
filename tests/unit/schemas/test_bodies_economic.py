"""Bodies of the economic types: named defects, check digits, and the rules that only code can check."""

import pytest

from schemas.checks.numbers import cas_faults, iban_faults, lei_faults, phone_warnings
from tests.support.records import Defects, Mutation, at, both, cases, drop, example, put, refusals, warnings

FIRST = "/body/transactions/0"
DEFECTS: Defects = {
    ("sector-information", "gas-transit"): [
        ("nothing said", both(drop("/body/observations"), drop("/body/energy")), "/body"),
        ("energy under another sector", put("/body/sector", "tourism"), "/body/sector"),
        ("product outside chapter 27", put("/body/energy/0/product", "841410"), "/body/energy/0/product"),
        ("flow in barrels", put("/body/energy/0/unit", "bbl"), "/body/energy/0/unit"),
        ("thirteenth month", put("/body/observations/1/period", "2026-13"), "/body/observations/1/period"),
        ("withheld with an amount", put("/body/observations/1/value/amount", "0"), "/body/observations/1/value/amount"),
        ("unknown kind", put("/body/info_kind", "rumour"), "/body/info_kind"),
        ("no unit", drop("/body/observations/0/unit"), "/body/observations/0/unit"),
    ],
    ("sector-information", "pipeline-status"): [
        ("capacity without a unit", drop("/body/pipeline/0/unit"), "/body/pipeline/0/unit"),
        ("unknown state", put("/body/pipeline/0/status", "leaking"), "/body/pipeline/0/status"),
        (
            "open ring",
            put("/body/pipeline/0/geometry", {"type": "Polygon", "coordinates": [[[1, 1], [2, 1], [2, 2], [1, 2]]]}),
            "/body/pipeline/0/geometry/coordinates/0",
        ),
    ],
    ("sector-information", "border-crossing"): [
        ("negative waiting", put("/body/transport/0/waiting_h", -1), "/body/transport/0/waiting_h"),
        ("no UN/LOCODE", put("/body/transport/0/unlocode_to", "XAB1D"), "/body/transport/0/unlocode_to"),
        ("unknown mode", put("/body/transport/0/mode", "camel"), "/body/transport/0/mode"),
    ],
    ("sector-information", "business-visas"): [
        ("fee as a number", put("/body/visa/0/fee/amount", 0), "/body/visa/0/fee/amount"),
        ("nationality by its name", put("/body/visa/0/nationality", "Country"), "/body/visa/0/nationality"),
    ],
    ("suspicious-transaction", "spontaneous"): [
        (
            "IBAN with a digit changed",
            put(f"{FIRST}/t_from/account/iban", "GB82WEST12345698765433"),
            f"{FIRST}/t_from/account/iban",
        ),
        (
            "IBAN with spaces",
            put(f"{FIRST}/t_from/account/iban", "GB82 WEST 1234 5698 7654 32"),
            f"{FIRST}/t_from/account/iban",
        ),
        (
            "LEI with a letter changed",
            put(f"{FIRST}/t_to/entity/lei", "XXXX00EXAMPLE0000C62"),
            f"{FIRST}/t_to/entity/lei",
        ),
        ("account with neither number", drop(f"{FIRST}/t_from/account/iban"), f"{FIRST}/t_from/account"),
        ("account with both numbers", put(f"{FIRST}/t_from/account/number", "1"), f"{FIRST}/t_from/account"),
        ("party who is two", put(f"{FIRST}/t_to/person", {"name": {"en": "x"}}), f"{FIRST}/t_to"),
        ("party who is nobody", put(f"{FIRST}/t_to", {}), f"{FIRST}/t_to"),
        (
            "transaction twice",
            put("/body/transactions/1/transactionnumber", "T-1"),
            "/body/transactions/1/transactionnumber",
        ),
        ("transaction of tomorrow", put(f"{FIRST}/date", "2026-06-11"), f"{FIRST}/date"),
        ("amount as a number", put(f"{FIRST}/amount/amount", 84500.0), f"{FIRST}/amount/amount"),
        ("disclosure of nothing", drop("/body/transactions"), "/body/transactions"),
        ("reply to nothing of theirs", put("/body/exchange_kind", "reply"), "/body/their_ref"),
        ("predicate offence left open", drop("/body/suspicion/predicate"), "/body/suspicion/predicate"),
        ("use left open", drop("/body/use_consent"), "/body/use_consent"),
        ("urgent without a day", put("/body/urgency", "urgent"), "/body/reply_by"),
        ("reply due in the past", put("/body/reply_by", "2026-06-01T00:00:00Z"), "/body/reply_by"),
        (
            "document number in clear",
            put("/body/transactions/1/t_from/person/passport", "1"),
            "/body/transactions/1/t_from/person",
        ),
    ],
    ("suspicious-transaction", "typology"): [
        ("typology that names transactions", put("/body/transactions", [{}]), "/body/transactions"),
    ],
}


@pytest.mark.parametrize(("record_type", "name", "change", "path"), cases(DEFECTS))
def test_a_defect_is_refused_at_its_place(record_type: str, name: str, change: Mutation, path: str) -> None:
    record = example(record_type, name)
    change(record)
    assert path in refusals(record)


WARNINGS: Defects = {
    ("sector-information", "business-visas"): [
        ("visas under pipelines", put("/measure", "2.3.3"), "/body/sector"),
    ],
    ("suspicious-transaction", "spontaneous"): [
        ("not red", put("/handling/tlp", "AMBER"), "/handling/tlp"),
        (
            "IBAN of a country that has none",
            put(f"{FIRST}/t_from/account/iban", "US64SVBKUS6S3300958879"),
            f"{FIRST}/t_from/account/iban",
        ),
    ],
}


@pytest.mark.parametrize(("record_type", "name", "change", "path"), cases(WARNINGS))
def test_what_is_doubtful_is_a_warning(record_type: str, name: str, change: Mutation, path: str) -> None:
    record = example(record_type, name)
    change(record)
    assert warnings(record) == [path]


def test_an_observation_is_given_once_for_each_series_and_period() -> None:
    record = example("sector-information", "gas-transit")
    record["body"]["observations"].append(at(record, "/body/observations/0"))
    assert "/body/observations/2" in refusals(record)
    put("/body/observations/2", at(record, "/body/observations/0") | {"period": "2026-Q2"})(record)
    assert refusals(record) == {}


@pytest.mark.parametrize("state", ["nil", "not-available", "withheld"])
def test_no_figure_and_zero_are_different_answers(state: str) -> None:
    record = example("sector-information", "gas-transit")
    put("/body/energy/0/quantity", {"amount_state": state})(record)
    assert refusals(record) == {}
    put("/body/energy/0/quantity", {"amount_state": "reported", "amount": "0"})(record)
    assert refusals(record) == {}
    put("/body/energy/0/quantity", {"amount_state": state, "amount": "0"})(record)
    assert "/body/energy/0/quantity/amount" in refusals(record)


@pytest.mark.parametrize("number", ["GB82WEST12345698765432", "KZ86125KZT5004100100", "DE89370400440532013000", None])
def test_a_right_iban_has_no_fault(number: str | None) -> None:
    assert list(iban_faults("/x", number)) == []


@pytest.mark.parametrize("number", ["GB82WEST12345698765433", "GB28WEST12345698765432", "GB82WEST12345698756432"])
def test_an_iban_with_wrong_check_digits_is_refused(number: str) -> None:
    assert [fault.warning for fault in iban_faults("/x", number)] == [False]


@pytest.mark.parametrize(
    ("number", "right"), [("XXXX00EXAMPLE0000B62", True), ("XXXX00EXAMPLE0000B26", False), (None, True)]
)
def test_check_digits_of_a_legal_entity(number: str | None, right: bool) -> None:
    assert list(lei_faults("/x", number)) == [] if right else list(lei_faults("/x", number))


@pytest.mark.parametrize(
    ("number", "right"), [("7732-18-5", True), ("7732-18-6", False), ("7723-18-5", False), (None, True)]
)
def test_check_digit_of_a_substance(number: str | None, right: bool) -> None:
    assert list(cas_faults("/x", number)) == [] if right else list(cas_faults("/x", number))


@pytest.mark.parametrize(("number", "usual"), [("+442079460123", True), ("+4420", False), ("+99912345678", False)])
def test_a_telephone_number_that_no_plan_has_is_a_warning(number: str, usual: bool) -> None:
    assert [fault.warning for fault in phone_warnings("/x", number)] == ([] if usual else [True])
