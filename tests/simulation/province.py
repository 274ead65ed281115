"""What every actor of the simulated province shares."""

import random
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.errors import GatewayError, Overloaded, PartnerUnavailable
from mock_services.population import Population
from tests.simulation.database import Died, MemoryDatabase
from tests.simulation.gateway import SimulatedGateway
from tests.simulation.model import Model
from tests.simulation.platform import SimulatedPlatform
from tests.simulation.weather import Weather
from tests.simulation.world import Agenda, History, VirtualClock


@dataclass(frozen=True)
class Answer:
    """How a call ended: ``done`` with a value, ``refused`` or ``busy`` with an error, or ``died`` with none."""

    how: str
    value: Any = None

    @property
    def done(self) -> bool:
        return self.how == "done"

    @property
    def again(self) -> bool:
        """Whether whoever asked tries again: nobody answered, or was able to."""
        return self.how in ("died", "busy")

    @property
    def check(self) -> str:
        return self.value.check if isinstance(self.value, GatewayError) else ""

    def __str__(self) -> str:
        return f"{self.how} {self.check}".strip()


@dataclass
class Province:
    """The stage on which actors act, one step after the other."""

    rng: random.Random
    clock: VirtualClock
    agenda: Agenda
    history: History
    weather: Weather
    model: Model
    population: Population
    database: MemoryDatabase
    platform: SimulatedPlatform
    gateway: SimulatedGateway = field(init=False)
    died: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def now(self) -> datetime:
        return self.clock.at

    def dies(self) -> Died:
        """The gateway's process is killed here and now; to be raised."""
        self.died = True
        return Died()

    async def ask(self, call: Awaitable[Any]) -> Answer:
        """Call the gateway. Anything but an answer, a refusal or death is a fault of the gateway's, and is raised."""
        try:
            return Answer("done", await call)
        except Died:
            self.died = True
            return Answer("died")
        except (Overloaded, PartnerUnavailable) as error:
            return Answer("busy", error)
        except GatewayError as error:
            return Answer("refused", error)
