"""Applicants: they show a face, look at what was found, confirm, change their minds; and the officer who is asked."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.applications.confirmation import ReviewOpened
from gateway.applications.customer_classes import Area
from gateway.applications.intake import INTAKE_OF
from gateway.applications.model import Demand
from gateway.applications.submission import Submitted
from gateway.errors import Owner, PartnerUnavailable
from gateway.identity.errors import AssertionRefused
from mock_services.population import Enterprise, Resident
from schemas.applicant_api import Confirmation
from schemas.identifiers import former_resident_identity_number
from schemas.identity import ApplicantKind, ProviderFailure, VerificationMethod
from schemas.operator_api import SettlementRequest
from tests.simulation.database import DIGESTS
from tests.simulation.model import Intent
from tests.simulation.province import Answer, Province
from tests.simulation.world import Violated

PROVIDER = "identity-provider"
OFFICER, OPERATOR = "officer-7", "operator"
WITHDRAWN, TAKEN_BACK = 0.05, 0.05
"""Of applications: are withdrawn; have their authorisation taken back."""


class SimulatedProvider:
    """``IdentityProvider``: a code is the holder's own, and a token says who it was."""

    issuer, client_id = "https://identity.simulated", "gateway"

    def __init__(self) -> None:
        self.claims: dict[str, dict[str, Any]] = {}
        self.down = False

    async def authorization_url(
        self, state: str, nonce: str, code_challenge: str, method: VerificationMethod, at: datetime
    ) -> str:
        self._require_up()
        return f"{self.issuer}/authorize?state={state}&nonce={nonce}"

    async def redeem(self, code: str, code_verifier: str, at: datetime) -> str:
        self._require_up()
        return code

    async def read_assertion(self, token: str, nonce: str, at: datetime) -> dict[str, object]:
        claims = self.claims[token]
        if claims["nonce"] != nonce:
            raise AssertionRefused(check="identity.assertion.nonce", owner=Owner.GOVERNMENT, remedy="请重新核验")
        return claims

    def _require_up(self) -> None:
        if self.down:
            raise PartnerUnavailable(check="http.timeout", owner=Owner.GOVERNMENT, remedy="请稍后", partner=PROVIDER)


@dataclass
class Applicant:
    """One wish for electricity, from the first look to the last."""

    number: int
    holder: Resident | Enterprise
    demand: Demand
    address: str | None
    token: str = ""
    verified: Any = None
    intake_id: str = ""
    confirmation: Confirmation | None = None
    tries: int = 0
    mine: list[str] = field(default_factory=list)

    @property
    def kind(self) -> ApplicantKind:
        return ApplicantKind.RESIDENT if isinstance(self.holder, Resident) else ApplicantKind.ENTERPRISE

    @property
    def code(self) -> str:
        return self.holder.id_number if isinstance(self.holder, Resident) else self.holder.code

    @property
    def digest(self) -> str:
        return DIGESTS.of("holder", self.code)


class Applicants:
    """Everybody who applies, and the officer."""

    def __init__(self, province: Province, provider: SimulatedProvider) -> None:
        self.province, self.provider = province, provider
        self._assertions = 0
        self._last_jti = ""

    # arrival --------------------------------------------------------------------------------------------------------

    def arrive(self, number: int, at: datetime) -> None:
        """Somebody will want electricity at ``at``."""
        self.province.agenda.at(at, f"applicant-{number} opens", lambda: self._open(self._somebody(number)))

    def _somebody(self, number: int) -> Applicant:
        weather, population = self.province.weather, self.province.population
        holder: Resident | Enterprise
        if weather.chance(0.5):
            holder = self._residents[weather.rng.randrange(len(self._residents))]
        else:
            holder = self._enterprises[weather.rng.randrange(len(self._enterprises))]
        homes = population.properties_of(holder.id_number if isinstance(holder, Resident) else holder.code)
        region = homes[0].region if homes else holder.region
        if isinstance(holder, Enterprise) and weather.chance(0.3):
            demand = Demand(
                region, 10_000, float(weather.rng.randrange(8, 90) * 100), 1 + weather.chance(0.3), Area.URBAN, "生产"
            )
        elif isinstance(holder, Enterprise):
            demand = Demand(
                region, 380, float(weather.rng.randrange(2, 40) * 10), 1, Area.URBAN, "经营", weather.chance(0.9)
            )
        else:
            demand = Demand(region, 220, 8.0, 1, Area.URBAN, "住宅")
        address = (homes[0].address if homes else None) if weather.chance(0.5) else None
        self.province.model.secrets[_code(holder)] = (_code(holder), holder.name)
        return Applicant(number, holder, demand, address)

    def settle_in(self) -> None:
        """Who may apply, in an order of their own."""
        population = self.province.population
        self._residents = list(population.residents.values())
        self._enterprises = list(population.enterprises.values())
        with_projects = {project.enterprise.code for project in population.projects}
        self._enterprises += [each for each in self._enterprises if each.code in with_projects] * 3

    # identity -------------------------------------------------------------------------------------------------------

    async def _open(self, who: Applicant) -> str:
        self.provider.down = self.province.weather.down(PROVIDER, self.province.now)
        answer = await self.province.ask(self.province.gateway.identity.open(who.kind, None))
        if answer.done:
            opened = answer.value
            who.token = opened.session_token
            state = opened.authorization_url.split("state=")[1].split("&")[0]
            nonce = opened.authorization_url.split("nonce=")[1]
            self._then(who, "returns", lambda: self._return(who, state, nonce), 20, 200)
        elif answer.again:
            self._once_more(who, "opens", lambda: self._open(who))
        return str(answer)

    async def _return(self, who: Applicant, state: str, nonce: str) -> str:
        identity, weather = self.province.gateway.identity, self.province.weather
        self.provider.down = weather.down(PROVIDER, self.province.now)
        if weather.strikes("face not matched", 0.02):
            answer = await self.province.ask(identity.fail(state, ProviderFailure.MISMATCH, who.token))
            self._then(who, "opens", lambda: self._open(who), 30, 300)
            return f"mismatch {answer}"
        code = self._assert(who, nonce)
        answer = await self.province.ask(identity.complete(state, code, who.token))
        if answer.done:
            who.token = answer.value.session_token
            self._then(who, "begins", lambda: self._begin(who), 5, 60)
        elif answer.how == "died":
            self._once_more(who, "opens", lambda: self._open(who))  # who knows whether the assertion is spent
        elif answer.again:
            self._once_more(who, "returns", lambda: self._return(who, state, nonce))
        else:
            self._once_more(who, "opens", lambda: self._open(who))
        return str(answer)

    def _assert(self, who: Applicant, nonce: str) -> str:
        """What the provider would say; sometimes it says it wrongly, or repeats itself."""
        weather, now = self.province.weather, int(self.province.now.timestamp())
        self._assertions += 1
        jti = f"assertion-{self._assertions:08d}"
        if self._last_jti and weather.strikes("assertion replayed", 0.01):
            jti = self._last_jti
        self._last_jti = jti
        person = who.holder if isinstance(who.holder, Resident) else who.holder.representative
        claims: dict[str, Any] = {
            "iss": self.provider.issuer,
            "sub": f"subject-{who.number}",
            "aud": self.provider.client_id,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "nonce": nonce,
            "jti": jti,
            "amr": ["face" if who.kind is ApplicantKind.RESIDENT else "e_licence"],
            "person": {"name": person.name, "resident_identity_number": person.id_number},
        }
        if isinstance(who.holder, Enterprise):
            claims["enterprise"] = {
                "name": who.holder.name,
                "unified_social_credit_code": who.holder.code,
                "role": "legal_representative",
            }
        if weather.strikes("schema drift of an assertion", 0.005):
            claims["person"] = {"xm": person.name}
        self.provider.claims = {jti: claims}
        return jti

    # intake ---------------------------------------------------------------------------------------------------------

    async def _begin(self, who: Applicant) -> str:
        province = self.province
        found = await province.ask(province.gateway.identity.applicant(who.token))
        if not found.done:
            self._once_more(who, "opens", lambda: self._open(who))
            return str(found)
        who.verified = found.value
        province.model.asking = _codes(who.holder)
        answer = await province.ask(
            province.gateway.intakes.begin(who.verified, INTAKE_OF[who.kind], who.demand, who.address)
        )
        if not answer.done:
            if answer.again:
                self._once_more(who, "begins", lambda: self._begin(who))
            return str(answer)
        view = answer.value
        who.intake_id = view.intake_id
        states = [f"{document.document}={document.state}" for document in view.documents]
        if all(document.state in ("found", "choose") or document.declarable for document in view.documents):
            who.confirmation = self._confirmation(view)
            self._after_a_look(who)
        else:
            self._once_more(who, "begins", lambda: self._begin(who), minutes=(60, 2000))
        return " ".join([view.customer_class.customer_class, *states])

    def _after_a_look(self, who: Applicant) -> None:
        weather = self.province.weather
        if weather.chance(0.03):
            self._then(who, "drops", lambda: self._drop(who), 60, 600)
        elif not weather.chance(0.03):  # else they are never seen again, and the intake expires
            self._then(who, "confirms", lambda: self._confirm(who), 30, 900)
            if weather.chance(0.03):
                self._then(who, "confirms too", lambda: self._confirm(who), 30, 900)

    def _confirmation(self, view: Any) -> Confirmation:
        weather = self.province.weather
        until = None
        if weather.chance(0.1):
            until = self.province.now + timedelta(days=weather.rng.randrange(2, 20))
        return Confirmation(
            authorise=True,
            authorised_until=until,
            choices={
                document.document: next(each.choice for each in document.certificates if each.verdict == "valid")
                for document in view.documents
                if document.state == "choose"
            },
            declared=[
                {"document": document.document, "file_name": "a.pdf", "sha256": "0" * 64}
                for document in view.documents
                if document.state not in ("found", "choose")
            ],
        )

    async def _confirm(self, who: Applicant) -> str:
        province = self.province
        confirmation = who.confirmation
        assert confirmation is not None
        province.model.intent = Intent(
            who.code, utilities_of(province, who.demand.region), confirmation.authorised_until
        )
        answer = await province.ask(province.gateway.intakes.confirm(who.verified, who.intake_id, confirmation))
        if answer.done and isinstance(answer.value, Submitted):
            made = answer.value
            province.model.records.append((made.record_id, "application.submitted"))
            self._applied(who, made.application.application_id)
            return f"submitted {made.application.application_id}"
        if answer.done and isinstance(answer.value, ReviewOpened):
            task = answer.value.task.task_id
            self._then(who, "is reviewed", lambda: self._look(who, task), 3600, 200_000)
            return f"review {task}"
        if answer.again:
            self._once_more(who, "confirms", lambda: self._confirm(who))
        elif answer.check == "intake.unknown":
            await self._find_mine(who)
        return str(answer)

    async def _find_mine(self, who: Applicant) -> None:
        """Perhaps it was confirmed, and only the answer was lost."""
        answer = await self.province.ask(self.province.gateway.progress.applications(who.digest))
        for each in answer.value if answer.done else ():
            known = self.province.model.applications.get(each.application_id)
            if known is None:
                raise Violated("lost", f"{each.application_id} was made, and its utility is not told")
            if each.application_id not in who.mine:
                self._applied(who, each.application_id)

    async def _drop(self, who: Applicant) -> str:
        answer = await self.province.ask(self.province.gateway.intakes.drop(who.verified, who.intake_id))
        if answer.again:
            self._once_more(who, "drops", lambda: self._drop(who))
        return str(answer)

    # the officer ----------------------------------------------------------------------------------------------------

    async def _look(self, who: Applicant, task: str) -> str:
        self.province.model.asking = _codes(who.holder)
        answer = await self.province.ask(self.province.gateway.reviews.look(task, OFFICER, OPERATOR))
        if answer.done:
            self._then(who, "is settled", lambda: self._settle(who, task), 60, 6000)
        elif answer.again:
            self._once_more(who, "is reviewed", lambda: self._look(who, task))
        return str(answer)

    async def _settle(self, who: Applicant, task: str) -> str:
        province = self.province
        assert who.confirmation is not None
        province.model.asking = _codes(who.holder)
        province.model.intent = Intent(
            who.code, utilities_of(province, who.demand.region), who.confirmation.authorised_until
        )
        decision = "accepted" if province.weather.chance(0.8) else "rejected"
        request = SettlementRequest(officer=OFFICER, decision=decision, reason="已核对", no_interest=True)
        answer = await province.ask(province.gateway.reviews.settle(task, request, OPERATOR))
        if answer.done and answer.value.submitted is not None:
            province.model.records.append((answer.value.record_id, "review.settled"))
            self._applied(who, answer.value.submitted.application.application_id)
        elif answer.again:
            self._once_more(who, "is settled", lambda: self._settle(who, task))
        elif answer.check == "review.settled":
            await self._find_mine(who)
        return f"{decision} {answer}"

    # afterwards -----------------------------------------------------------------------------------------------------

    def _applied(self, who: Applicant, application_id: str) -> None:
        """What becomes of some of them."""
        who.mine.append(application_id)
        weather, counts = self.province.weather, self.province.counts
        counts["applications"] += 1
        if weather.chance(WITHDRAWN):
            self._then(who, "withdraws", lambda: self._withdraw(who, application_id), 10, 1_000_000)
        if weather.chance(TAKEN_BACK):
            self._then(who, "takes back", lambda: self._take_back(who, application_id), 10, 1_000_000)
        if weather.chance(0.05):
            self._then(who, "renews", lambda: self._renew(who, application_id), 1000, 1_500_000)
        if weather.chance(0.2):
            self._then(who, "looks", lambda: self._progress(who, application_id), 10, 1_500_000)

    async def _withdraw(self, who: Applicant, application_id: str) -> str:
        model = self.province.model
        model.withdrawing = application_id
        known, before = model.applications[application_id], model.applications[application_id].closed
        answer = await self.province.ask(self.province.gateway.own.withdraw(application_id, who.digest))
        if answer.done:
            model.records.append((answer.value.record_id, "application.withdrawn"))
        if answer.how in ("done", "refused") and answer.done is before and not known.unsure:
            raise Violated("lifecycle", f"{application_id}: withdrawal {answer}, closed before: {before}")
        if answer.again:
            self._once_more(who, "withdraws", lambda: self._withdraw(who, application_id))
        return str(answer)

    async def _take_back(self, who: Applicant, application_id: str) -> str:
        model = self.province.model
        model.withdrawing = application_id
        before = model.applications[application_id].withdrawn_at
        answer = await self.province.ask(self.province.gateway.authorisations.withdraw(application_id, who.digest))
        if answer.done:
            model.records.append((answer.value.record_id, "authorisation.withdrawn"))
        if answer.how in ("done", "refused") and answer.done is (before is not None):
            raise Violated("disclosure", f"{application_id}: taking back {answer}, taken back before: {before}")
        if answer.again:
            self._once_more(who, "takes back", lambda: self._take_back(who, application_id))
        return str(answer)

    async def _renew(self, who: Applicant, application_id: str) -> str:
        known = self.province.model.applications[application_id]
        until = self.province.now + timedelta(days=self.province.weather.rng.randrange(10, 300))
        answer = await self.province.ask(self.province.gateway.own.renew(application_id, who.digest, until))
        if answer.done:
            if known.withdrawn_at is not None:
                raise Violated("disclosure", f"{application_id} was renewed after it was taken back")
            known.until = until
        elif answer.how == "died":
            known.until, known.unsure = max(until, known.until), True
        return str(answer)

    async def _progress(self, who: Applicant, application_id: str) -> str:
        known, weather = self.province.model.applications[application_id], self.province.weather
        answer: Answer = await self.province.ask(self.province.gateway.progress.progress(application_id, who.digest))
        if not answer.done:
            return str(answer)
        if not known.unsure and (answer.value.closed_at is not None) != known.closed:
            raise Violated("lifecycle", f"{application_id} is shown as {answer.value.status}")
        for stage in answer.value.stages:
            self.province.model.shows(application_id, stage.stage, "started", stage.started_at)
            self.province.model.shows(application_id, stage.stage, "completed", stage.completed_at)
        if weather.chance(0.6):
            self._then(who, "looks", lambda: self._progress(who, application_id), 10, 800_000)
        return f"{answer.value.status} {len(answer.value.accesses)}"

    # when -----------------------------------------------------------------------------------------------------------

    def _then(self, who: Applicant, what: str, act: Callable[[], Awaitable[str]], least: float, most: float) -> None:
        seconds = self.province.weather.between(least, most)
        self.province.agenda.after(f"applicant-{who.number} {what}", act, seconds=seconds)

    def _once_more(
        self,
        who: Applicant,
        what: str,
        act: Callable[[], Awaitable[str]],
        minutes: tuple[float, float] = (0.2, 90),
    ) -> None:
        """Try again later, until they have had enough."""
        who.tries += 1
        if who.tries <= 12:
            self._then(who, what, act, minutes[0] * 60, minutes[1] * 60)


def utilities_of(province: Province, region: str) -> tuple[str, ...]:
    """Whom an application from ``region`` may go to: each city has one."""
    return (f"csg-{region[:4]}00",)


def _code(holder: Resident | Enterprise) -> str:
    return holder.id_number if isinstance(holder, Resident) else holder.code


def _codes(holder: Resident | Enterprise) -> set[str]:
    """Under which numbers a holder may be looked for."""
    code = _code(holder)
    former = former_resident_identity_number(code) if isinstance(holder, Resident) else None
    return {code, former} if former else {code}
