"""A utility that lost, altered or made up events finds it by one comparison and is healed, between real processes."""

import secrets
from collections import Counter
from typing import Any

import pytest

from mock_services.demo.journeys.stage import until
from tests.faults.test_kills import apply, open_review
from tests.support.province import LiveProvince

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Utility:
    """The utility's admin side."""

    def __init__(self, province: LiveProvince) -> None:
        self._http, self._url = province.http, f"{province.province.utility}/__admin"

    async def compare(self) -> dict[str, Any]:
        answer = await self._http.post(f"{self._url}/reconciliation")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def post(self, path: str, body: Any = None) -> Any:
        return (await self._http.post(f"{self._url}/{path}", json=body)).raise_for_status()

    async def events(self, application_id: str) -> list[dict[str, Any]]:
        found = (await self._http.get(f"{self._url}/events")).raise_for_status().json()
        return [each for each in found if each["application_id"] == application_id]

    async def outcomes(self, application_id: str) -> list[dict[str, Any]]:
        answer = await self._http.get(f"{self._url}/outcomes", params={"application_id": application_id})
        return list(answer.raise_for_status().json())


def found(report: dict[str, Any], names: set[str]) -> dict[str, tuple[str, bool]]:
    """The differences that are about ``names``: other tests of this province have events under way."""
    return {
        each["event_id"]: (each["kind"], each["healed"]) for each in report["differences"] if each["event_id"] in names
    }


async def test_what_a_utility_lost_or_altered_is_found_and_healed(province: LiveProvince) -> None:
    utility, application_id = Utility(province), await apply(province)
    permits = await open_review(province, application_id)

    async def decided() -> list[dict[str, Any]] | None:
        outcomes = await utility.outcomes(application_id)
        return (
            outcomes if {each["permit_id"] for each in outcomes if each["outcome"] == "approved"} >= permits else None
        )

    outcomes = await until(decided, "the departments have decided", 30)

    async def in_step() -> bool:
        return not (await utility.compare())["differences"]

    await until(in_step, "both hold the same", 30)
    before = {each["event_id"]: each["body_sha256"] for each in await utility.events(application_id)}
    lost, altered = outcomes[0]["event_id"], outcomes[1]["event_id"]
    first = next(each["event_id"] for each in await utility.events(application_id) if each["sequence"] == 1)
    await utility.post("events/forget", [lost, first])
    await utility.post(f"events/{altered}/tamper")

    report = await utility.compare()
    assert found(report, set(before)) == {
        lost: ("missed_by_utility", True),
        first: ("missed_by_utility", True),
        altered: ("altered_at_utility", True),
    }
    assert {each["event_id"]: each["body_sha256"] for each in await utility.events(application_id)} == before
    again = await utility.outcomes(application_id)
    assert Counter(each["outcome_id"] for each in again) == Counter(each["outcome_id"] for each in outcomes)
    assert found(await utility.compare(), set(before)) == {}


async def test_what_only_the_utility_holds_is_shown_to_the_operator(province: LiveProvince) -> None:
    utility, name = Utility(province), f"evt_{secrets.token_hex(8)}"
    source = await apply(province)
    (real, *_) = await utility.events(source)
    made_up = {
        "id": name,
        "source": "nobody",
        "type": "cn.bandian.authorisation.withdrawn.v1",
        "subject": f"app_{secrets.token_hex(4)}",
        "time": real["received_at"],
        "sequence": 1,
        "data": {"application_id": "app_0", "authorisation_id": "aut_0", "withdrawn_at": real["received_at"]},
    }
    await utility.post("seed", {"events": [made_up]})
    try:
        report = await utility.compare()
        assert found(report, {name}) == {name: ("unknown_to_gateway", False)}
        code, printed = await province.command("reconcile", "list", "--differing")
        assert code == 0, printed
        assert "本平台没有 1" in printed
        code, printed = await province.command("reconcile", "show", "csg-guangdong", report["day"])
        assert f"{name}\t本平台没有\t未复原" in printed, printed
    finally:
        await utility.post("events/forget", [name])
