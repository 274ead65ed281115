"""The population as the desk sees it: personas by name, everybody else by identity number or credit code."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mock_services.identity_provider.desk import Subject
from mock_services.population import Enterprise, IdentityOutcome, Mandate, Persona, Population, Resident
from schemas.identity import (
    ENTERPRISE_METHODS,
    RESIDENT_METHODS,
    ActingRole,
    VerificationMethod,
    VerifiedEnterprise,
    VerifiedPerson,
)

_RESIDENT_MATCH = dict.fromkeys(RESIDENT_METHODS, IdentityOutcome.MATCH)
_LICENCE_MATCH = dict.fromkeys(ENTERPRISE_METHODS, IdentityOutcome.MATCH)


@dataclass(frozen=True)
class PopulationPeople:
    """``desk.People`` over the synthetic province."""

    population: Population

    def find(self, name: str) -> Subject | None:
        """A persona's slug, a resident's number, or an enterprise's code (its legal representative stands here)."""
        if persona := self.population.personas.get(name):
            plays = {VerificationMethod(method): outcome for method, outcome in persona.outcomes.items()}
            role = ActingRole.AGENT if persona.by_agent else ActingRole.LEGAL_REPRESENTATIVE
            return replace(
                _subject(name, persona.person, persona.enterprise, role, plays), mandated_by=_mandated_by(persona)
            )
        if resident := self.population.residents.get(name):
            return _subject(name, resident, None, ActingRole.LEGAL_REPRESENTATIVE, _RESIDENT_MATCH)
        if enterprise := self.population.enterprises.get(name):
            representative = enterprise.representative
            return _subject(name, representative, enterprise, ActingRole.LEGAL_REPRESENTATIVE, _LICENCE_MATCH)
        return None

    def names(self, method: VerificationMethod) -> list[tuple[str, str]]:
        """The personas to choose from on the page of ``method``: slug and a line that says what happens."""
        return [
            (persona.slug, f"{persona.person.name} · {persona.description}")
            for persona in self.population.personas.values()
            if (persona.enterprise is not None) == (method in ENTERPRISE_METHODS)
        ]


def _mandated_by(persona: Persona) -> VerifiedPerson | None:
    """Who signed the agent's authorisation."""
    if not persona.by_agent or persona.enterprise is None or persona.mandate is Mandate.MISSING:
        return None
    return _person(persona.person if persona.mandate is Mandate.SELF_SIGNED else persona.enterprise.representative)


def _person(resident: Resident) -> VerifiedPerson:
    return VerifiedPerson(name=resident.name, resident_identity_number=resident.id_number)


def _subject(
    name: str,
    person: Resident,
    enterprise: Enterprise | None,
    role: ActingRole,
    plays: Mapping[VerificationMethod, IdentityOutcome],
) -> Subject:
    verified = None
    if enterprise is not None:
        verified = VerifiedEnterprise(name=enterprise.name, unified_social_credit_code=enterprise.code, role=role)
    return Subject(name, _person(person), verified, plays)
