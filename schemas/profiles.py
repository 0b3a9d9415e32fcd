"""Sets of parameters for military notifications and invitations, which the states concerned agree (Catalogue, 2.1.1).

A record names its profile. `vd11` is the sample, after the Vienna Document 2011, from memory: what its numbers find is
a warning and never a refusal. A profile that is not known here is judged by who holds it.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Profile:
    """What one set of parameters asks for.

    Attributes:
        lead_time_days: whole days between a notification and the start of the activity (chapter V).
        invitation_reply_days: days before the first day of the programme by which invitees answer (chapter VI).
        observers_per_state: places that an invitation offers at least (chapter VI).
        consultation_reply_hours: hours in which a request for explanation is answered (chapter III).
    """

    lead_time_days: int
    invitation_reply_days: int
    observers_per_state: int
    consultation_reply_hours: int


PROFILES: Final = {
    "vd11": Profile(lead_time_days=42, invitation_reply_days=21, observers_per_state=2, consultation_reply_hours=48),
}
