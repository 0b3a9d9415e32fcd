"""Bodies of contact points, experience, projects and the documents of section 3: named defects, and rules in code."""

import pytest

from tests.support.records import Defects, Mutation, both, cases, drop, example, put, refusals, warnings

CONSENTS = "/body/originator_consents"
DEFECTS: Defects = {
    ("contact-point", "coordination-body"): [
        ("telephone without country code", put("/body/phone/0", "02079460123"), "/body/phone/0"),
        ("no telephone", put("/body/phone", []), "/body/phone"),
        ("no address", put("/body/email/0", "duty"), "/body/email/0"),
        ("day and night with hours", put("/body/hours/opens", "09:00"), "/body/hours/opens"),
        ("time zone as an offset", put("/body/hours/tz", "+05:00"), "/body/hours/tz"),
        ("coordination body for tourism", put("/measure", "2.3.6"), "/body/coordination_body"),
        ("tested tomorrow", put("/body/last_tested", "2026-01-14"), "/body/last_tested"),
        ("short fingerprint", put("/body/key_id", "ab"), "/body/key_id"),
        ("valid for ever", drop("/valid_until"), "/valid_until"),
        ("unknown function", put("/body/function", "spokesman"), "/body/function"),
    ],
    ("contact-point", "tourism-office"): [
        ("office without hours", drop("/body/hours/closes"), "/body/hours/closes"),
        ("twenty-fifth hour", put("/body/hours/closes", "25:00"), "/body/hours/closes"),
    ],
    ("best-practice", "early-warning-guideline"): [
        (
            "nothing said",
            both(*(drop(f"/body/{name}") for name in ("problem", "approach", "results", "lessons"))),
            "/body",
        ),
        ("goal 18", put("/body/sdg/0", 18), "/body/sdg/0"),
        ("terms in a guideline", put("/body/terms", [{}]), "/body/terms"),
        ("terminology without terms", put("/body/bp_kind", "terminology"), "/body/terms"),
        ("flag on a clean measure", put("/body/draft_bracket", True), "/body/draft_bracket"),
        ("source on a disk", put("/body/source_url", "file:///etc/passwd"), "/body/source_url"),
        ("written tomorrow", put("/body/date", "2026-03-07"), "/body/date"),
        ("nobody's rights", drop("/body/rights"), "/body/rights"),
        (
            "terminology of ICT without the flag",
            both(
                put("/measure", "2.2.10"),
                put("/body/bp_kind", "terminology"),
                put("/body/terms", [{"term": "incident", "lang": "en", "definition": {"en": "An event."}}]),
            ),
            "/body/draft_bracket",
        ),
    ],
    ("cooperation-project", "archaeology"): [
        ("dig without a permit", drop("/body/heritage_permits"), "/body/heritage_permits"),
        ("ends before it starts", put("/body/end", "2026-05-31"), "/body/end"),
        ("unknown role", put("/body/partners/0/role", "boss"), "/body/partners/0/role"),
        ("money as a number", put("/body/budget/0/money/amount", 180000), "/body/budget/0/money/amount"),
        ("unknown state", put("/body/status", "stalled"), "/body/status"),
        ("no partners", put("/body/partners", []), "/body/partners"),
        ("target left open", drop("/body/indicators/0/target"), "/body/indicators/0/target"),
        (
            "latitude first",
            put("/body/location/0/geometry/coordinates", [43.1, 166.9]),
            "/body/location/0/geometry/coordinates/1",
        ),
    ],
    ("expression-of-interest", "energy-security-a"): [
        ("other modality than the measure's", put("/body/modality", "B"), "/body/modality"),
        ("measure of another area", put("/body/measures/0", "2.3.1"), "/body/measures/0"),
        ("measure that is none", put("/body/measures/0", "2.3.99"), "/body/measures/0"),
        ("views without views", put("/body/intent", "views"), "/body/views"),
        ("area by its heading", put("/body/priority_area", "Energy security"), "/body/priority_area"),
        ("unknown intent", put("/body/intent", "veto"), "/body/intent"),
        ("partner in lower case", put("/body/partners_wanted/0", "xab"), "/body/partners_wanted/0"),
    ],
    ("concept-paper", "draft"): [
        ("file that is not attached", put("/body/financing/file/size", 1), "/body/financing/file"),
        ("section in both ways", put("/body/financing/text", {"en": "x"}), "/body/financing"),
        ("empty section", put("/body/timeline", {}), "/body/timeline"),
        ("no designation", drop("/body/designation_ref"), "/body/designation_ref"),
        ("version nought", put("/body/version", 0), "/body/version"),
        ("unknown status", put("/body/document_status", "final"), "/body/document_status"),
        ("under modality B", put("/measure", "3.B"), "/measure"),
    ],
    ("working-paper", "tourism"): [
        ("paper that is not attached", put("/body/paper/filename", "other.pdf"), "/body/paper"),
        ("no attachments", drop("/attachments"), "/body/paper"),
        ("author who was not nominated", drop("/body/authors/0/nomination_ref"), "/body/authors/0/nomination_ref"),
        ("no tasking", drop("/body/tasking_ref"), "/body/tasking_ref"),
        ("no recommendation", put("/body/recommendations", []), "/body/recommendations"),
        ("under modality A", put("/measure", "3.A"), "/measure"),
    ],
    ("expert-nomination", "academician"): [
        ("no consent", drop("/body/consent"), "/body/consent"),
        ("consent refused", put("/body/consent", False), "/body/consent"),
        ("kept until yesterday", put("/body/retention_until", "2026-02-28"), "/body/retention_until"),
        ("deleted during the term", put("/body/retention_until", "2027-12-31"), "/body/retention_until"),
        ("term backwards", put("/body/term/end", "2026-03-31"), "/body/term/end"),
        ("date of birth", put("/body/expert/dob", "1970-01-01"), "/body/expert"),
        ("unknown kind", put("/body/kind", "lobbyist"), "/body/kind"),
    ],
    ("database-entry", "trade-database"): [
        ("source without consent", drop(f"{CONSENTS}/1"), "/body/entry_of/1"),
        ("consent for no source", put(f"{CONSENTS}/1/record", "urn:x-mfa:1"), f"{CONSENTS}/1/record"),
        ("consent of tomorrow", put(f"{CONSENTS}/0/granted_at", "2026-10-02T00:00:00Z"), f"{CONSENTS}/0/granted_at"),
        ("no consents", drop(CONSENTS), CONSENTS),
        ("source twice", put("/body/entry_of", ["urn:x-mfa:1", "urn:x-mfa:1"]), "/body/entry_of"),
        ("compiled by nobody", put("/body/compiled_by", "node"), "/body/compiled_by"),
        ("no edition", drop("/body/edition"), "/body/edition"),
    ],
    ("modality-decision", "designation"): [
        (
            "act of the other modality",
            both(put("/body/decision_kind", "soc-decision"), drop("/body/designated")),
            "/body/decision_kind",
        ),
        ("act of the wrong body", put("/body/by", "swg"), "/body/by"),
        ("decided tomorrow", put("/body/date", "2026-02-21"), "/body/date"),
        ("subject by its title", put("/body/subject_ref", "the paper"), "/body/subject_ref"),
        ("designated by a consultation", put("/body/decision_kind", "coordinator-consultation"), "/body/designated"),
        ("unknown outcome", put("/body/outcome", "welcomed"), "/body/outcome"),
    ],
    ("implementation-review", "own-and-received"): [
        ("on behalf of another", put("/body/reporter", "XAB"), "/body/reporter"),
        ("of two states", put("/originators", ["XAA", "XAB"]), "/body/reporter"),
        ("unknown edition", put("/body/catalogue", "cica-catalogue-2030"), "/body/catalogue"),
        ("period backwards", put("/body/end", "2024-12-31"), "/body/end"),
        ("measure that only introduces others", put("/body/counts/2/measure", "2.1.1"), "/body/counts/2/measure"),
        ("measure that is none", put("/body/counts/2/measure", "2.1.19"), "/body/counts/2/measure"),
        ("more nil than all", put("/body/counts/1/nil", 2), "/body/counts/1/nil"),
        ("pair twice", put("/body/counts/1/state", "XAA"), "/body/counts/1"),
        ("measures out of order", put("/body/counts/3/measure", "2.1.1.a"), "/body/counts/3"),
        ("negative count", put("/body/counts/0/records", -1), "/body/counts/0/records"),
        ("no replies", drop("/body/counts/0/replies"), "/body/counts/0/replies"),
        ("title of a record", put("/body/counts/0/title", "Budget"), "/body/counts/0"),
        ("under another measure", put("/measure", "2.1.1.b"), "/measure"),
    ],
    ("modality-decision", "expert-tasking"): [
        ("tasking under modality A", put("/measure", "3.A"), "/body/decision_kind"),
        ("tasking by the Committee", put("/body/by", "soc"), "/body/by"),
    ],
}


@pytest.mark.parametrize(("record_type", "name", "change", "path"), cases(DEFECTS))
def test_a_defect_is_refused_at_its_place(record_type: str, name: str, change: Mutation, path: str) -> None:
    record = example(record_type, name)
    change(record)
    assert path in refusals(record)


WARNINGS: Defects = {
    ("contact-point", "coordination-body"): [
        ("telephone of no country", put("/body/phone/0", "+99912345678"), "/body/phone/0"),
    ],
    ("contact-point", "tourism-office"): [
        ("hotline that sleeps", put("/body/function", "crisis-hotline"), "/body/hours/kind"),
    ],
    ("best-practice", "early-warning-guideline"): [
        ("tourism under disasters", put("/body/topic", "tourism"), "/body/topic")
    ],
    ("cooperation-project", "archaeology"): [
        ("nobody leads", put("/body/partners/0/role", "partner"), "/body/partners"),
    ],
    ("concept-paper", "draft"): [("of who does not coordinate", put("/originators", ["XAD"]), "/originators")],
    ("expert-nomination", "academician"): [
        ("another state's national", put("/body/expert/country", "XAC"), "/body/expert/country"),
        ("not red", put("/handling/tlp", "GREEN"), "/handling/tlp"),
    ],
    ("implementation-review", "own-and-received"): [
        ("before the period is over", put("/issued_at", "2025-12-31T12:00:00Z"), "/body/end"),
    ],
    ("modality-decision", "swg-consideration"): [
        ("agreed without consensus", put("/body/consensus", False), "/body/consensus"),
    ],
}


@pytest.mark.parametrize(("record_type", "name", "change", "path"), cases(WARNINGS))
def test_what_is_doubtful_is_a_warning(record_type: str, name: str, change: Mutation, path: str) -> None:
    record = example(record_type, name)
    change(record)
    assert warnings(record) == [path]


def test_bracketed_terminology_is_taken_with_its_flag_and_readers_are_told() -> None:
    record = example("best-practice", "early-warning-guideline")
    record["measure"] = "2.2.10"
    record["body"] |= {"bp_kind": "terminology", "topic": "ict-security", "draft_bracket": True}
    record["body"]["terms"] = [{"term": "incident", "lang": "en", "definition": {"en": "An event."}}]
    assert warnings(record) == ["/body/draft_bracket"]


def test_an_attachment_alone_says_something() -> None:
    record = example("best-practice", "human-rights-education")
    del record["body"]["approach"]
    assert refusals(record) == {}


@pytest.mark.parametrize("kind", ["swg-consideration", "soc-decision", "coordinator-consultation"])
def test_an_act_agreed_outside_the_catalogue_may_be_of_either_modality(kind: str) -> None:
    record = example("modality-decision", "swg-consideration")
    by = {"swg-consideration": "swg", "soc-decision": "soc", "coordinator-consultation": "chairman"}[kind]
    record |= {"measure": "1.5", "agreement_ref": "Memorandum of 2024"}
    record["body"] |= {"decision_kind": kind, "by": by}
    assert refusals(record) == {}


def test_two_originators_of_one_source_both_consent() -> None:
    record = example("database-entry", "trade-database")
    consents = record["body"]["originator_consents"]
    consents.append(consents[0] | {"originator": "XAB"})
    assert refusals(record) == {}
    consents.append(consents[0])
    assert refusals(record).keys() == {f"{CONSENTS}/3"}
