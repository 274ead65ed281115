"""The chaos ends between two steps, so that nobody who was killed is taken for alive."""

import asyncio
import signal
from types import SimpleNamespace
from typing import Any, cast

from tests.prove.chaos import Chaos, Pace, Tally
from tests.prove.system import DatabaseKind, Partner, System
from tests.support.launched import Child

AT_ONCE = Pace(lives=(60, 60), partner_lives=(0, 0), fault_is_away=(60, 60))


class _SlowToDie(Child):
    """Gone some time after the signal, as on a busy machine."""

    def __init__(self) -> None:
        super().__init__(number=1)
        self.signalled = asyncio.Event()

    def signal(self, number: signal.Signals) -> bool:
        self.signalled.set()
        asyncio.get_running_loop().call_later(0.05, self.ended.set)
        return True


class _OnePartner:
    """As much of a system as this takes."""

    def __init__(self) -> None:
        self.kind, self.seed, self.processes, self.links, self.cluster = DatabaseKind.SQLITE, 1, [], {}, None
        self.layout = SimpleNamespace(disk=None)
        self.partners = {"one": Partner("one", "tests.prove.department", [])}
        self.child = _SlowToDie()
        self.partners["one"].child = self.child

    async def start_partner(self, partner: Partner) -> None:
        partner.child = Child(number=2)


async def test_a_partner_killed_just_before_the_end_is_started_again() -> None:
    system = _OnePartner()
    chaos = Chaos(cast("System", cast("Any", system)), Tally(), AT_ONCE, can_fail_fsync=False)
    running = asyncio.create_task(chaos.run())
    await system.child.signalled.wait()

    chaos.end()
    await running
    await chaos.mend()

    child = system.partners["one"].child
    assert child is not None
    assert not child.ended.is_set()
    assert child.number == 2
