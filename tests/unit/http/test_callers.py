"""Who is calling is asked once a request, for the address that callers use, also on a raw ASGI scope."""

from typing import Annotated

import pytest
from fastapi import Depends

from gateway.caller import Caller, Role
from gateway.http.callers import Doorkeeper, require_role
from gateway.http.errors import RoleRefused
from gateway.http.services import Services
from tests.support.door import PUBLIC_URL, NamedGate, app_behind_the_door, asking
from tests.support.storage import SetClock

UTILITY = {"Authorization": "Test csg-guangzhou utility"}


def scope_of(path: bytes, *headers: tuple[bytes, bytes]) -> dict:
    return {"type": "http", "method": "POST", "raw_path": path, "path": path.decode(), "headers": list(headers)}


async def test_the_address_is_the_public_one_as_it_was_written_without_its_query() -> None:
    gate = NamedGate()
    app = app_behind_the_door(gate=gate)

    @app.get("/things/{name}")
    async def thing(name: str, caller: Annotated[Caller, Depends(require_role("utility"))]) -> str:
        return caller.partner_code

    async with asking(app) as client:
        answer = await client.get("http://another-name:8000/things/%E5%8A%9Ea%20b?secret=1", headers=UTILITY)
    assert answer.json() == "csg-guangzhou"
    assert gate.asked == [("GET", f"{PUBLIC_URL}/things/%E5%8A%9Ea%20b")]


async def test_a_caller_is_authenticated_once_a_request() -> None:
    gate = NamedGate()
    app = app_behind_the_door(gate=gate)

    @app.get("/twice")
    async def twice(
        one: Annotated[Caller, Depends(require_role("utility"))],
        two: Annotated[Caller, Depends(require_role("utility", "department"))],
    ) -> bool:
        return one is two

    async with asking(app) as client:
        assert (await client.get("/twice", headers=UTILITY)).json() is True
    assert len(gate.asked) == 1


async def test_a_raw_scope_is_admitted_by_the_same_rule() -> None:
    keeper = Doorkeeper(NamedGate(), SetClock(), PUBLIC_URL + "/")
    scope = scope_of(b"/v1/x", (b"authorization", b"Test csg-guangzhou utility"))
    assert (await keeper.admit(scope, Role.UTILITY, scope_name="licences")).partner_code == "csg-guangzhou"
    for roles, name in (((Role.DEPARTMENT,), None), ((Role.UTILITY,), "events"), ((), None)):
        with pytest.raises(RoleRefused):
            await keeper.admit(scope, *roles, scope_name=name)


async def test_each_header_line_is_handed_on_by_itself() -> None:
    lines: list[list[str]] = []

    class Gate(NamedGate):
        async def authenticate(self, authorizations, proofs, method, uri, at):
            lines.append(list(proofs))
            return await super().authenticate(authorizations, proofs, method, uri, at)

    keeper = Doorkeeper(Gate(), SetClock(), PUBLIC_URL)
    await keeper.caller_of(scope_of(b"/", (b"authorization", b"Test a utility"), (b"dpop", b"1"), (b"dpop", b"2")))
    assert lines == [["1", "2"]]


def test_a_requirement_without_roles_cannot_be_built() -> None:
    with pytest.raises(ValueError):
        require_role()


def test_services_are_found_by_exact_type_and_published_once() -> None:
    clock = SetClock()
    assert Services(clock).get(SetClock) is clock
    with pytest.raises(LookupError):
        Services(clock).get(NamedGate)
    with pytest.raises(ValueError):
        Services(clock, SetClock())
