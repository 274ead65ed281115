"""Runs the suite against a partner's own endpoint and keeps the report; nothing is sent inside a transaction."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.caller import Role
from gateway.clock import Clock
from gateway.conformance.errors import ConformanceNotFor
from gateway.conformance.model import Answer, ConformanceReport, Gathered, Probe, Readiness, readiness
from gateway.conformance.ports import ConformanceTransaction, Counterpart, Reaches
from gateway.conformance.suite import PROBES, checks_of
from gateway.delivery.ports import ChannelKind
from gateway.errors import Owner
from gateway.ids import MakeId
from gateway.partners.directory import Directory, DirectorySnapshot
from gateway.partners.errors import not_found
from gateway.partners.model import Endpoint, Partner
from gateway.records.entries import RecordEntry
from gateway.transaction import Transactions
from schemas.conformance import TEST_PREFIX

RUN: Final = "conformance.run"
CHANNELS: Final = {Role.UTILITY: ChannelKind.WEBHOOK.value, Role.DEPARTMENT: ChannelKind.DEPARTMENT.value}
_SAME_ID: Final = frozenset({Probe.FIRST, Probe.REPEATED, Probe.STATUS_KNOWN})


class ConformanceService:
    """``limit_s`` is how long an answer may take, as for deliveries."""

    def __init__(
        self,
        transactions: Transactions[ConformanceTransaction],
        directory: Directory,
        reaches: Reaches,
        clock: Clock,
        make_id: MakeId,
        *,
        limit_s: float,
    ) -> None:
        self._transactions = transactions
        self._directory = directory
        self._reaches = reaches
        self._clock = clock
        self._make_id = make_id
        self._limit_s = limit_s

    async def run(self, code: str, actor: str) -> ConformanceReport:
        """Ask ``code`` everything its role is asked; the report is kept and on record.

        Raises ``PartnerNotFound``, and ``ConformanceNotFor`` for a role that receives nothing.
        """
        snapshot = await self._directory.snapshot()
        partner = snapshot.partners.get(code)
        if partner is None:
            raise not_found("partner", "请核对接入单位代码")
        if partner.role not in PROBES:
            raise ConformanceNotFor(
                check="conformance.role", owner=Owner.CALLER, remedy="只有供电企业与审批部门接收事件，须做符合性测试"
            )
        report_id = self._make_id("cfr")
        gathered = await self._gather(snapshot, partner, report_id)
        results = tuple(check.result(gathered) for check in checks_of(partner.role))
        report = ConformanceReport(report_id, code, gathered.at, actor, results)
        await self._transactions.write(lambda transaction: _keep(transaction, report))
        return report

    async def last(self, code: str) -> ConformanceReport | None:
        """The newest run."""
        return await self._transactions.read(lambda transaction: transaction.conformance.last(code))

    async def recent(self, code: str, limit: int = 10) -> Sequence[ConformanceReport]:
        """Runs, the newest first."""
        return await self._transactions.read(lambda transaction: transaction.conformance.recent(code, limit))

    async def readiness(self, code: str) -> tuple[Readiness, ConformanceReport | None]:
        """What the last run says about going live now, and that run."""
        last = await self.last(code)
        return readiness(last, self._clock()), last

    async def _gather(self, snapshot: DirectorySnapshot, partner: Partner, run_id: str) -> Gathered:
        endpoint = _endpoint(snapshot, partner)
        fault = self._reaches.address_fault(snapshot, partner)
        answers: Mapping[Probe, Answer] = {}
        at = self._clock()
        if partner.active and endpoint is not None and fault is None:
            counterpart = self._reaches.open(snapshot, partner, run_id)
            try:
                answers = await self._ask(counterpart, partner.role)
            finally:
                await counterpart.close()
        return Gathered(partner, snapshot.keys.get(partner.code, ()), endpoint, fault, at, self._limit_s, answers)

    async def _ask(self, counterpart: Counterpart, role: Role) -> Mapping[Probe, Answer]:
        """Each probe in turn; no more of them once one has waited in vain, or the first had no answer."""
        answers: dict[Probe, Answer] = {}
        same = self._test_id()
        for probe in PROBES[role]:
            answer = await counterpart.try_probe(probe, same if probe in _SAME_ID else self._test_id())
            if answer is None:
                continue
            answers[probe] = answer
            if answer.found == "timeout" or (probe is Probe.FIRST and answer.status is None):
                break
        return answers

    def _test_id(self) -> str:
        return self._make_id(TEST_PREFIX.rstrip("_"))


def _endpoint(snapshot: DirectorySnapshot, partner: Partner) -> Endpoint | None:
    """The endpoint, whether or not the partner is suspended."""
    found = snapshot.endpoints.get(partner.code, ())
    return next((each for each in found if each.channel == CHANNELS[partner.role]), None)


def _keep(transaction: ConformanceTransaction, report: ConformanceReport) -> None:
    transaction.conformance.add(report)
    facts = {"report_id": report.report_id, "outcome": report.outcome.value, "failed": list(report.failed)}
    transaction.records.append(RecordEntry(RUN, report.ran_at, report.ran_by, report.partner_code, facts=facts))
