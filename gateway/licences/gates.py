"""The checks that a request for a licence passes, one after the other, each noted as it is passed or refused.

Every answer is made with these notes; only an explanation shows them. What is explained is therefore what happened.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.certificates.steps import STEPS
from gateway.certificates.verdicts import Verdict
from gateway.certificates.verification import Verification
from gateway.errors import GatewayError, Indeterminate, Overloaded, PartnerUnavailable


class Gate(StrEnum):
    """What is judged, in this order; the steps of the verification come between ``confirmed`` and ``disclosure``."""

    CALLER = "caller"
    APPLICATION = "application"
    REQUIREMENT = "requirement"
    AUTHORISATION = "authorisation"
    AGREEMENT = "agreement"
    NECESSITY = "necessity"
    HOLDER = "holder"
    SOURCE = "source"
    CONFIRMED = "confirmed"
    DISCLOSURE = "disclosure"


GATE_TITLES = {
    Gate.CALLER: "调用方",
    Gate.APPLICATION: "申请及其环节",
    Gate.REQUIREMENT: "该环节可要求的资料",
    Gate.AUTHORISATION: "用户授权",
    Gate.AGREEMENT: "数据共享协议",
    Gate.NECESSITY: "办理所需的最小范围",
    Gate.HOLDER: "所指持证主体",
    Gate.SOURCE: "证照来源",
    Gate.CONFIRMED: "申请人确认的那一份",
    Gate.DISCLOSURE: "可提供的内容",
}


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate or step. ``verdict`` None: it was not reached. The rest is told where it was not passed.

    ``note`` is a sentence worth telling of one that was. Nothing here is a value of a certificate.
    """

    name: str
    title: str
    verdict: Verdict | None
    check: str | None = None
    owner: str | None = None
    remedy: str | None = None
    clause: str | None = None
    note: str | None = None


_PASSED = {gate: GateResult(gate, GATE_TITLES[gate], Verdict.VALID) for gate in Gate}


class _Passing:
    """``Gates.passing``. A class, since each answer passes ten of them."""

    __slots__ = ("_gate", "_gates")

    def __init__(self, gates: "Gates", gate: Gate) -> None:
        self._gates, self._gate = gates, gate

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if error is None:
            self._gates.passed(self._gate)
        elif isinstance(error, GatewayError):
            self._gates.refused(self._gate, error)


class Gates:
    """The notes of one request."""

    def __init__(self) -> None:
        self._noted: dict[Gate, GateResult] = {}

    def begin_anew(self) -> None:
        """Forget what was noted of the request itself, and not who makes it: it is judged once more."""
        self._noted = {gate: noted for gate, noted in self._noted.items() if gate is Gate.CALLER}

    def passing(self, gate: Gate) -> "_Passing":
        """A context: the body passes ``gate``, or is refused at it; the refusal goes on."""
        return _Passing(self, gate)

    def passed(self, gate: Gate) -> None:
        """``gate`` was passed, whatever is noted of it beyond that."""
        self._noted.setdefault(gate, _PASSED[gate])

    def refused(self, gate: Gate, error: GatewayError) -> None:
        """``gate`` was not passed: *indeterminate* where somebody did not answer, *invalid* where a rule says no."""
        silent = isinstance(error, PartnerUnavailable | Indeterminate | Overloaded)
        verdict = Verdict.INDETERMINATE if silent else Verdict.INVALID
        self._noted[gate] = GateResult(
            gate, GATE_TITLES[gate], verdict, error.check, error.owner.value, error.remedy, error.clause
        )

    def note(
        self,
        gate: Gate,
        verdict: Verdict = Verdict.VALID,
        *,
        check: str | None = None,
        clause: str | None = None,
        note: str | None = None,
    ) -> None:
        """Say of ``gate`` what its passing alone does not tell."""
        self._noted[gate] = GateResult(gate, GATE_TITLES[gate], verdict, check, clause=clause, note=note)

    def results(self, verification: Verification | None) -> list[GateResult]:
        """Every gate and step in order; those that were not reached have no verdict."""
        before = [gate for gate in Gate if gate is not Gate.DISCLOSURE]
        return [*map(self._result, before), *step_results(verification), self._result(Gate.DISCLOSURE)]

    def _result(self, gate: Gate) -> GateResult:
        return self._noted.get(gate) or GateResult(gate, GATE_TITLES[gate], None)


def step_results(verification: Verification | None) -> list[GateResult]:
    """The steps of ``verification`` in their order, named ``verification.…``."""
    taken = {} if verification is None else {check.name: check for check in verification.checks}
    results = []
    for name, title in STEPS.items():
        check = taken.get(name)
        if check is None:
            results.append(GateResult(f"verification.{name}", title, None))
        elif check.verdict is Verdict.VALID:
            results.append(GateResult(f"verification.{name}", title, check.verdict))
        else:
            owner = None if check.owner is None else check.owner.value
            results.append(
                GateResult(f"verification.{name}", title, check.verdict, check.check or name, owner, check.remedy)
            )
    return results
