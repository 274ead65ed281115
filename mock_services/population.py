"""A synthetic province: residents, enterprises, their properties, projects and qualified units, all from one seed.

**Nobody is meant.** Every resident is born between 1900 and 1905 and would be over 120: no living person has such a
公民身份号码, though it passes GB 11643 like any other. Telephone numbers start with 120, which no operator assigns.
Organisation codes start with ``TD``, which no registrar gives out. Names and addresses are put together at random.

The same seed gives the same province on every machine; a larger one begins with the smaller one's people.
Personas (``mock_services.personas``) come first and are the same whatever the size.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from mock_services.personas import (
    ENTERPRISES,
    RESIDENTS,
    Demand,
    EnterprisePersona,
    IdentityOutcome,
    Mandate,
    ResidentPersona,
    Trouble,
)
from schemas.identifiers import (
    former_resident_identity_number,
    make_resident_identity_number,
    make_unified_social_credit_code,
)
from schemas.regions import COUNTIES, REGION_NAMES, region_name

__all__ = [
    "DEFAULT_SEED",
    "Enterprise",
    "IdentityOutcome",
    "Mandate",
    "Persona",
    "Population",
    "Project",
    "Property",
    "Qualification",
    "Resident",
    "Trouble",
    "build_population",
]

DEFAULT_SEED = 1479
DEFAULT_RESIDENTS, DEFAULT_ENTERPRISES = 2000, 500
MINIMUM_RESIDENTS, MINIMUM_ENTERPRISES = 40, 20
FIRST_BIRTH, LAST_BIRTH = date(1900, 1, 1), date(1905, 12, 31)
UNITS_OF_EACH_KIND = 3

_SURNAMES = "陈李黄张梁林刘吴罗杨王何邓叶曾谢朱郭潘江许卢苏冯钟蔡温范邱方"
_GIVEN = "安伯川达恩芳光海嘉健静可朗宁沛启若山思泰文希贤延远泽知志之晓雅云舒墨清和景明"
_ROADS = ("人民路", "建设路", "中山路", "解放路", "文明路", "环城路", "工业大道", "滨江路", "科技路", "和平路")
_BRANDS_FIRST, _BRANDS_LAST = "岚澄栩砚晗霁昀绫桐蔚淙", "霖屿舟衡榆曦渡禾磐笙野"
_TRADES = ("电子", "食品", "机械", "包装", "家具", "塑胶", "纺织", "物流", "餐饮", "环保科技", "印刷", "五金")


@dataclass(frozen=True, slots=True)
class Resident:
    """A natural person (自然人)."""

    id_number: str
    name: str
    sex: str
    born_on: date
    region: str
    address: str
    phone: str


@dataclass(frozen=True, slots=True)
class Enterprise:
    """An enterprise; ``agents`` are its authorised 经办人, by identity number. ``capital`` in 万元."""

    code: str
    name: str
    representative: Resident
    agents: tuple[Resident, ...]
    region: str
    address: str
    trade: str
    capital: int
    established_on: date
    former_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Property:
    """A 不动产 with its registered owners. ``area`` in square metres.

    ``registered`` are the owners' names and codes as the register still has them, where they have changed since.
    """

    unit_code: str
    certificate_number: str
    region: str
    address: str
    use: str
    area: str
    registered_on: date
    owners: tuple[Resident | Enterprise, ...]
    registered: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """An approved project that will need electricity; ``builder`` is who builds it (建设单位)."""

    code: str
    name: str
    approval_number: str
    enterprise: Enterprise
    site: str
    scale: str
    approved_on: date
    builder: Enterprise


@dataclass(frozen=True, slots=True)
class Qualification:
    """A unit's 资质; ``kind`` is ``design_qualification`` or ``construction_qualification``."""

    kind: str
    number: str
    enterprise: Enterprise
    category: str
    grade: str
    scope: str
    issued_on: date
    valid_until_on: date


@dataclass(frozen=True, slots=True)
class Persona:
    """A named case. ``person`` is who acts (shows a face, signs in); ``enterprise`` for whom, if for one.

    ``outcomes`` maps ``face``, ``sms_otp``, ``counter`` (and ``e_licence`` for enterprises) to what is found.
    """

    slug: str
    description: str
    person: Resident
    enterprise: Enterprise | None
    outcomes: Mapping[str, IdentityOutcome]
    troubles: Mapping[str, Trouble]
    demand: Demand
    by_agent: bool = False
    mandate: Mandate = Mandate.SIGNED
    ofd: frozenset[str] = frozenset()
    """Kinds of the holder that the platform issues as OFD."""

    @property
    def holder_code(self) -> str:
        """The code under which the e-certificates are found."""
        return self.enterprise.code if self.enterprise else self.person.id_number


@dataclass
class Population:
    """The whole province. Look-ups are by identity number, by code and by persona slug."""

    seed: int
    residents: dict[str, Resident] = field(default_factory=dict)
    enterprises: dict[str, Enterprise] = field(default_factory=dict)
    properties: list[Property] = field(default_factory=list)
    projects: list[Project] = field(default_factory=list)
    qualifications: list[Qualification] = field(default_factory=list)
    personas: dict[str, Persona] = field(default_factory=dict)

    def properties_of(self, code: str) -> list[Property]:
        """Properties that the resident or enterprise with ``code`` owns, alone or with others."""
        return [found for found in self.properties if any(code_of(owner) == code for owner in found.owners)]

    def persona_of(self, code: str) -> Persona | None:
        """The persona whose person or enterprise has ``code``."""
        for persona in self.personas.values():
            if code in (persona.holder_code, persona.person.id_number):
                return persona
        return None


def code_of(holder: Resident | Enterprise) -> str:
    """The identity number or unified social credit code."""
    return holder.id_number if isinstance(holder, Resident) else holder.code


def build_population(
    residents: int = DEFAULT_RESIDENTS, enterprises: int = DEFAULT_ENTERPRISES, seed: int = DEFAULT_SEED
) -> Population:
    """The province of ``seed``. Raises ``ValueError`` when it would be too small to hold the personas."""
    if residents < MINIMUM_RESIDENTS or enterprises < MINIMUM_ENTERPRISES:
        raise ValueError(f"a province has at least {MINIMUM_RESIDENTS} residents and {MINIMUM_ENTERPRISES} enterprises")
    builder = _Builder(Population(seed))
    for resident in RESIDENTS:
        builder.resident_persona(resident)
    for enterprise in ENTERPRISES:
        builder.enterprise_persona(enterprise)
    builder.qualified_units()
    builder.fill_residents(residents)
    builder.fill_enterprises(enterprises)
    return builder.population


class _Builder:
    """Random streams are apart for each part, so that the size of one does not change another."""

    def __init__(self, population: Population) -> None:
        self.population = population
        self._streams: dict[str, random.Random] = {}
        self._taken: set[str] = set()

    def _random(self, stream: str) -> random.Random:
        return self._streams.setdefault(stream, random.Random(f"{self.population.seed}/{stream}"))

    # people -------------------------------------------------------------------------------------------------------

    def resident(self, stream: str, name: str | None = None, region: str | None = None) -> Resident:
        rng = self._random(stream)
        region = region or rng.choice(COUNTIES)
        born_on = FIRST_BIRTH + timedelta(days=rng.randrange((LAST_BIRTH - FIRST_BIRTH).days + 1))
        sequence = rng.randrange(1, 1000)
        while (id_number := make_resident_identity_number(region, born_on, sequence)) in self.population.residents:
            sequence = sequence % 999 + 1
        name = name or rng.choice(_SURNAMES) + "".join(rng.choices(_GIVEN, k=rng.choice((1, 2, 2))))
        sex = "男" if sequence % 2 else "女"
        phone = f"120{rng.randrange(10**8):08d}"
        found = Resident(id_number, name, sex, born_on, region, self._address(rng, region, home=True), phone)
        self.population.residents[id_number] = found
        return found

    def _address(self, rng: random.Random, region: str, *, home: bool) -> str:
        street = f"{region_name(region)}{rng.choice(_ROADS)}{rng.randrange(1, 800)}号"
        if home:
            return f"{street}{rng.randrange(1, 30)}栋{rng.randrange(1, 33)}{rng.randrange(1, 9):02d}房"
        return f"{street}{rng.randrange(1, 9)}号厂房"

    # enterprises --------------------------------------------------------------------------------------------------

    def enterprise(
        self,
        stream: str,
        representative: Resident,
        name: str | None = None,
        region: str | None = None,
        agents: tuple[Resident, ...] = (),
        trade: str | None = None,
        former_names: tuple[str, ...] = (),
    ) -> Enterprise:
        rng = self._random(stream)
        region = region or rng.choice(COUNTIES)
        trade = trade or rng.choice(_TRADES)
        city = REGION_NAMES[region[:4] + "00"]
        code = self._credit_code(rng, region)
        name = name or f"{city}{rng.choice(_BRANDS_FIRST)}{rng.choice(_BRANDS_LAST)}{trade}有限公司"
        address = self._address(rng, region, home=False)
        established_on = date(2021, 1, 4) + timedelta(days=rng.randrange(1400))
        capital = rng.randrange(1, 500) * 10
        found = Enterprise(
            code, name, representative, agents, region, address, trade, capital, established_on, former_names
        )
        self.population.enterprises[code] = found
        return found

    def _credit_code(self, rng: random.Random, region: str) -> str:
        while True:
            code = make_unified_social_credit_code(f"91{region}", f"TD{rng.randrange(10**6):06d}")
            if code not in self.population.enterprises:
                return code

    # what they own ------------------------------------------------------------------------------------------------

    def property(
        self, owners: tuple[Resident | Enterprise, ...], registered: tuple[tuple[str, str], ...] = ()
    ) -> Property:
        first = owners[0]
        home = isinstance(first, Resident)
        serial = len(self.population.properties) + 1
        rng = self._random(f"property/{code_of(first)}")
        since = first.established_on if isinstance(first, Enterprise) else date(2021, 3, 1)
        registered_on = since + timedelta(days=rng.randrange(1, 600))
        unit_code = f"{first.region}{rng.randrange(1, 60):03d}{rng.randrange(1, 30):03d}GB{serial % 100_000:05d}F"
        found = Property(
            unit_code=f"{unit_code}{rng.randrange(1, 99):04d}{rng.randrange(1, 9999):04d}",
            certificate_number=self._certificate_number(rng, first.region, registered_on.year),
            region=first.region,
            address=first.address,
            use="住宅" if home else "工业",
            area=f"{rng.randrange(4500, 18_000) / 100 if home else rng.randrange(80_000, 900_000) / 100:.2f}",
            registered_on=registered_on,
            owners=owners,
            registered=registered,
        )
        self.population.properties.append(found)
        return found

    def _certificate_number(self, rng: random.Random, region: str, year: int) -> str:
        while True:
            number = f"粤({year}){REGION_NAMES[region[:4] + '00']}不动产权第{rng.randrange(10**7):07d}号"
            if number not in self._taken:
                self._taken.add(number)
                return number

    def project(self, enterprise: Enterprise, site: str | None = None, builder: Enterprise | None = None) -> Project:
        rng = self._random(f"project/{enterprise.code}")
        approved_on = date(2024, 2, 1) + timedelta(days=rng.randrange(600))
        serial = len(self.population.projects) + 1
        found = Project(
            code=f"{approved_on:%y%m}-{enterprise.region}-04-01-{100_000 + serial}",
            name=f"{enterprise.name}新建厂区用电工程项目",
            approval_number=f"粤模批〔{approved_on.year}〕{serial}号",
            enterprise=enterprise,
            site=site or enterprise.address,
            scale=f"10千伏变配电房，容量{rng.randrange(10, 80) * 100}千伏安",
            approved_on=approved_on,
            builder=builder or enterprise,
        )
        self.population.projects.append(found)
        return found

    # personas -----------------------------------------------------------------------------------------------------

    def resident_persona(self, persona: ResidentPersona) -> None:
        stream = f"persona/{persona.slug}"
        person = self._co_owner(persona) or self.resident(stream, persona.name, persona.region)
        owners = [person, *(self.resident(stream, region=persona.region) for _ in range(persona.owners - 1))]
        former = former_resident_identity_number(person.id_number) if persona.historic_number else None
        for _ in range(persona.properties):
            self.property(tuple(owners), ((person.name, former),) if former else ())
        self.population.personas[persona.slug] = Persona(
            persona.slug, persona.description, person, None, persona.outcomes, {}, persona.demand, ofd=persona.ofd
        )

    def _co_owner(self, persona: ResidentPersona) -> Resident | None:
        """Who owns the home of the persona that ``persona`` co-owns it with, called by the persona's name."""
        if persona.co_owns is None:
            return None
        home = next(iter(self.population.properties_of(self.population.personas[persona.co_owns].holder_code)))
        owners = [replace(each, name=persona.name) if each is home.owners[-1] else each for each in home.owners]
        self.population.properties[self.population.properties.index(home)] = replace(home, owners=tuple(owners))
        found = owners[-1]
        assert isinstance(found, Resident)
        self.population.residents[found.id_number] = found
        return found

    def enterprise_persona(self, persona: EnterprisePersona) -> None:
        stream = f"persona/{persona.slug}"
        representative = self.resident(stream, region=persona.region)
        agents = (self.resident(stream, region=persona.region),) if persona.by_agent else ()
        former = (persona.registered_as,) if persona.renamed and persona.registered_as else ()
        enterprise = self.enterprise(
            stream, representative, persona.name, persona.region, agents, persona.trade, former
        )
        self.property((enterprise,), ((persona.registered_as, enterprise.code),) if persona.registered_as else ())
        if persona.project:
            others = [other for other in self.population.enterprises.values() if other is not enterprise]
            self.project(enterprise, persona.site, others[0] if persona.other_builder else None)
        self.population.personas[persona.slug] = Persona(
            persona.slug,
            persona.description,
            agents[0] if agents else representative,
            enterprise,
            persona.outcomes,
            persona.troubles,
            persona.demand,
            persona.by_agent,
            persona.mandate,
            persona.ofd,
        )

    def qualified_units(self) -> None:
        """Design and construction units (设计、施工单位) that others may engage."""
        for kind, word, category, scope in (
            ("design_qualification", "电力设计", "电力行业（送电、变电工程）专业", "10千伏及以下变配电工程设计"),
            ("construction_qualification", "电力工程", "电力工程施工总承包", "10千伏及以下变配电工程施工"),
        ):
            for index in range(UNITS_OF_EACH_KIND):
                stream = f"unit/{kind}/{index}"
                region = ("440106", "440304", "440604")[index]
                city = REGION_NAMES[region[:4] + "00"]
                name = f"{city}{_BRANDS_FIRST[index]}{_BRANDS_LAST[index]}{word}有限公司"
                unit = self.enterprise(stream, self.resident(stream, region=region), name, region, trade=word)
                self.property((unit,))
                self.population.qualifications.append(
                    Qualification(
                        kind,
                        f"{'A' if kind.startswith('design') else 'D'}244{index + 1:06d}",
                        unit,
                        category,
                        ("甲级", "乙级", "乙级")[index] if kind.startswith("design") else f"{'一二三'[index]}级",
                        scope,
                        date(2024, 6, 3),
                        date(2034, 6, 2),
                    )
                )

    # the rest -----------------------------------------------------------------------------------------------------

    def fill_residents(self, count: int) -> None:
        rng = self._random("homes")
        while len(self.population.residents) < count:
            person = self.resident("residents")
            if rng.random() < 0.7:
                self.property((person,))

    def fill_enterprises(self, count: int) -> None:
        rng = self._random("representatives")
        people = list(self.population.residents.values())[:MINIMUM_RESIDENTS]
        while len(self.population.enterprises) < count:
            enterprise = self.enterprise("enterprises", rng.choice(people))
            self.property((enterprise,))
            if rng.random() < 0.1:
                self.project(enterprise)
