"""Each persona's whole journey: by pointer, by keyboard alone, and without script. ``make test`` has one of the three
for each persona by turns; ``BROWSER=all`` all of them.
"""

import os
from typing import Any

import pytest

from tests.browser.hands import Hands, Keys, Pointer
from tests.browser.journeys import ON_A_TELEPHONE, PERSONAS
from tests.browser.looking import Looking
from tests.support.province import LiveProvince

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]
HANDS: dict[str, tuple[type[Hands], bool]] = {
    "pointer": (Pointer, True),
    "keys": (Keys, True),
    "no-script": (Pointer, False),
}


def turns() -> list[Any]:
    """(persona, hands): all of them, or each persona's turn."""
    ways = list(HANDS)
    every = os.environ.get("BROWSER") == "all"
    return [
        pytest.param(persona, way, id=f"{persona}-{way}")
        for place, persona in enumerate(PERSONAS)
        for way in (ways if every else [ways[(place + 1) % len(ways)]])
    ]


@pytest.mark.parametrize(("persona", "way"), turns())
async def test_a_whole_journey(looking: Looking, province: LiveProvince, persona: str, way: str) -> None:
    kind, scripted = HANDS[way]
    hands = await kind.at(looking, scripted=scripted, phone=persona in ON_A_TELEPHONE)
    await PERSONAS[persona](hands, province)
