"""Which check belongs to which record type. A type whose rules JSON Schema can say in full has no entry."""

from collections.abc import Callable, Collection, Iterator
from typing import Final

from schemas.checks import (
    armed_forces_components,
    best_practice,
    concept_paper,
    contact_point,
    cooperation_project,
    database_entry,
    defence_budget,
    disaster_alert,
    disease_outbreak,
    expert_nomination,
    expression_of_interest,
    foreign_contingents,
    ict_incident,
    implementation_review,
    incident_consultation,
    legal_cooperation_request,
    military_activity_notification,
    modality_decision,
    national_measures,
    observer_invitation,
    personnel_cv,
    sector_information,
    suspicious_transaction,
    treaty_status,
    visit_event_invitation,
    wmd_proliferation_information,
    working_paper,
)
from schemas.checks.common import Json, record_faults
from schemas.record_errors import Fault

_CHECKS: Final[dict[str, Callable[[Json], Iterator[Fault]]]] = {
    "armed-forces-components": armed_forces_components.faults,
    "best-practice": best_practice.faults,
    "concept-paper": concept_paper.faults,
    "contact-point": contact_point.faults,
    "cooperation-project": cooperation_project.faults,
    "database-entry": database_entry.faults,
    "defence-budget": defence_budget.faults,
    "disaster-alert": disaster_alert.faults,
    "disease-outbreak": disease_outbreak.faults,
    "expert-nomination": expert_nomination.faults,
    "expression-of-interest": expression_of_interest.faults,
    "foreign-contingents": foreign_contingents.faults,
    "ict-incident": ict_incident.faults,
    "implementation-review": implementation_review.faults,
    "incident-consultation": incident_consultation.faults,
    "legal-cooperation-request": legal_cooperation_request.faults,
    "military-activity-notification": military_activity_notification.faults,
    "modality-decision": modality_decision.faults,
    "national-measures": national_measures.faults,
    "observer-invitation": observer_invitation.faults,
    "personnel-cv": personnel_cv.faults,
    "sector-information": sector_information.faults,
    "suspicious-transaction": suspicious_transaction.faults,
    "treaty-status": treaty_status.faults,
    "visit-event-invitation": visit_event_invitation.faults,
    "wmd-proliferation-information": wmd_proliferation_information.faults,
    "working-paper": working_paper.faults,
}

# Of some records another state than the originator has to be among those who sign.
_PROVIDERS: Final[dict[str, Callable[[Json, Collection[str]], Iterator[Fault]]]] = {
    "foreign-contingents": foreign_contingents.provider_faults,
}


def check_record(record_type: str, record: Json) -> list[Fault]:
    """Faults and warnings of a record that its JSON Schema accepts."""
    found = list(record_faults(record))
    # Bodies are judged by the edition that the record names; without one there is no ground to judge on.
    # A record that only ends or acknowledges another has an empty body (see `no_body` in common.json).
    if record["body"] and not any(fault.path == "/catalogue_id" for fault in found):
        found.extend(_CHECKS[record_type](record))
    return found


def check_providers(record: Json, providers: Collection[str]) -> list[Fault]:
    """Faults of a valid record under a Provision of these providers."""
    check = _PROVIDERS.get(record["record_type"])
    return list(check(record, providers)) if check is not None and record["body"] else []
