"""Projects and the leads that were made of them. Values only; what becomes of them is decided in ``rules``."""

from dataclasses import dataclass, field
from datetime import datetime

from schemas.leads import LeadProject, LeadStatus, RetractionReason


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom a utility may ask about a project: personal data, and the only ones that are kept of it."""

    builder: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Said:
    """What the highest version of a project's pushes says.

    ``lead`` None: its data no longer hold (``sjyxbs`` 0). Of ``contact`` nothing is left once it is erased.
    """

    version: int
    lead: LeadProject | None
    contact: Contact


@dataclass(frozen=True, slots=True)
class Told:
    """A step that a utility told of: the time it claimed, the one that counts, why they differ, and its record entry.

    ``flags`` are ``gateway.applications.claimed_times.BackdatedReason`` values.
    """

    claimed_at: datetime
    counted_at: datetime
    flags: tuple[str, ...]
    record_id: str


@dataclass(frozen=True, slots=True)
class Lead:
    """A utility's lead. ``version`` counts from 1 what the utility was told; a closed one never opens again."""

    lead_id: str
    project_id: str
    platform: str
    utility: str
    status: LeadStatus
    version: int
    project: LeadProject
    project_version: int
    offered_at: datetime
    changed_at: datetime
    contacted: Told | None = None
    connected: Told | None = None
    retracted_at: datetime | None = None
    retraction: RetractionReason | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """A project of one platform, known by ``project_code`` and ``works_code``. ``said`` None: nothing was heard yet.

    ``erased`` – the contact and the pushes as they were signed are gone; a new push brings its own.
    """

    project_id: str
    platform: str
    project_code: str
    works_code: str
    said: Said | None
    leads: tuple[Lead, ...] = ()
    erased: bool = False
