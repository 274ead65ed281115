"""What becomes of leads, in whatever order a platform and utilities speak: a state machine against the plain rules."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.projects.errors import LeadClosed
from gateway.projects.model import Contact, Lead, Project, Said, Told
from gateway.projects.rules import (
    Effect,
    Move,
    Step,
    assign,
    is_over,
    is_waiting,
    judge_progress,
    take,
    told_before,
    with_progress,
    with_steps,
)
from schemas.leads import LeadPhase, LeadProject, LeadStatus, RetractionReason
from tests.support.storage import NOON

REGIONS = ("440106", "440305", "440605")
UTILITIES = ("csg-guangzhou", "csg-shenzhen", "csg-both")
NAMES = ("甲", "乙")
EMPTY = Project("prj_1", "gd-projects", "code", "works", None)


def told(region: str, name: str = "甲") -> LeadProject:
    return LeadProject(
        project_code="2020-440100-44-03-012345",
        works_code="gc-1",
        name=name,
        region=region,
        phase=LeadPhase.REGISTERED,
    )


def said(version: int, region: str | None, name: str = "甲") -> Said:
    return Said(version, told(region, name) if region else None, Contact())


def ids() -> "itertools.count[int]":
    return itertools.count(1)


class Leads(RuleBasedStateMachine):
    """``highest`` is the newest thing said, ``events`` what each lead's utility was told, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.project = EMPTY
        self.highest: Said | None = None
        self.serving: dict[str, set[str]] = {region: set() for region in REGIONS}
        self.events: dict[str, list[Step]] = {}
        self.numbers = ids()
        self.at: datetime = NOON

    def make_id(self) -> str:
        return f"lead_{next(self.numbers):04d}"

    def tell(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            self.events.setdefault(step.lead.lead_id, []).append(step)

    @rule(version=st.integers(1, 12), region=st.sampled_from((*REGIONS, None)), name=st.sampled_from(NAMES))
    def push(self, version: int, region: str | None, name: str) -> None:
        self.at += timedelta(minutes=1)
        pushed = said(version, region, name)
        before = self.project
        taken = take(self.project, pushed, sorted(self.serving.get(region or "", ())), self.make_id, self.at)
        if self.highest is not None and version <= self.highest.version:
            assert (taken.effect, taken.steps, taken.project.leads) == (Effect.OVERTAKEN, (), before.leads)
            return
        self.highest = pushed
        assert taken.effect is not Effect.OVERTAKEN
        if taken.effect is Effect.UNCHANGED:
            assert taken.steps == ()
        self.project = taken.project
        self.tell(taken.steps)

    @rule(region=st.sampled_from(REGIONS), utility=st.sampled_from(UTILITIES))
    def serve(self, region: str, utility: str) -> None:
        self.serving[region] ^= {utility}

    @rule()
    def look_at_what_waits(self) -> None:
        region = self.project.said.lead.region if self.project.said and self.project.said.lead else ""
        steps = assign(self.project, sorted(self.serving.get(region, ())), self.make_id, self.at)
        assert not steps or is_waiting(self.project)
        self.project = with_steps(self.project, steps)
        self.tell(steps)

    @rule(which=st.integers(0, 5), to=st.sampled_from((LeadStatus.CONTACTED, LeadStatus.CONNECTED)))
    def progress(self, which: int, to: LeadStatus) -> None:
        if not self.project.leads:
            return
        self.at += timedelta(minutes=1)
        lead = self.project.leads[which % len(self.project.leads)]
        if told_before(lead, to) is not None:
            return
        if not lead.status.open:
            with pytest.raises(LeadClosed):
                judge_progress(lead, to, self.at, self.at)
            return
        judged = judge_progress(lead, to, self.at, self.at)
        changed = with_progress(lead, to, Told(self.at, judged.counted_at, (), "rec_1"), self.at)
        leads = tuple(changed if each.lead_id == lead.lead_id else each for each in self.project.leads)
        self.project = replace(self.project, leads=leads)

    @invariant()
    def the_newest_counts(self) -> None:
        assert self.project.said == self.highest

    @invariant()
    def each_utility_was_told_what_its_lead_is(self) -> None:
        for lead in self.project.leads:
            steps = self.events[lead.lead_id]
            assert [step.lead.version for step in steps] == list(range(1, lead.version + 1))
            assert steps[0].move is Move.OFFERED
            assert all(step.move is Move.CHANGED for step in steps[1:-1])
            assert (steps[-1].move is Move.RETRACTED) == (lead.status is LeadStatus.RETRACTED)
            assert {step.lead.utility for step in steps} == {lead.utility}
            if lead.status is not LeadStatus.RETRACTED:
                assert steps[-1].lead.project == lead.project

    @invariant()
    def an_open_lead_tells_the_newest(self) -> None:
        for lead in self.project.leads:
            if lead.status.open:
                assert self.highest is not None
                assert lead.project == self.highest.lead

    @invariant()
    def a_utility_has_one_open_lead_at_most(self) -> None:
        utilities = [lead.utility for lead in self.project.leads if lead.status.open]
        assert len(utilities) == len(set(utilities))

    @invariant()
    def it_waits_or_is_over_or_somebody_has_it(self) -> None:
        someone = any(lead.status.open for lead in self.project.leads)
        assert [is_waiting(self.project), is_over(self.project), someone].count(True) == 1


TestLeads = Leads.TestCase


@given(st.permutations([said(1, REGIONS[0]), said(2, REGIONS[1], "乙"), said(3, None), said(4, REGIONS[0], "乙")]))
def test_whatever_order_pushes_arrive_in_the_newest_stands(order: list[Said]) -> None:
    project, numbers = EMPTY, ids()
    for pushed in order:
        region = pushed.lead.region if pushed.lead else ""
        serving = {REGIONS[0]: ["csg-guangzhou"], REGIONS[1]: ["csg-shenzhen"]}.get(region, [])
        project = take(project, pushed, serving, lambda: f"lead_{next(numbers)}", NOON).project
    (stands,) = [lead for lead in project.leads if lead.status.open]
    assert (stands.utility, stands.project) == ("csg-guangzhou", told(REGIONS[0], "乙"))


def test_several_utilities_of_one_region_have_a_lead_each_and_one_may_connect_alone() -> None:
    numbers = ids()
    project = take(EMPTY, said(1, REGIONS[0]), ["a", "b"], lambda: f"lead_{next(numbers)}", NOON).project
    one, other = project.leads
    connected = with_progress(one, LeadStatus.CONNECTED, Told(NOON, NOON, (), "rec_1"), NOON)
    project = replace(project, leads=(connected, other))
    moved = take(project, said(2, REGIONS[1]), ["a"], lambda: f"lead_{next(numbers)}", NOON)
    assert [(step.move, step.lead.utility) for step in moved.steps] == [(Move.RETRACTED, "b")]
    assert moved.project.leads[1].retraction is RetractionReason.MOVED
    assert moved.project.leads[0] == connected


def test_times_that_cannot_be_are_flagged_and_do_not_count() -> None:
    lead = Lead("lead_1", "prj_1", "p", "u", LeadStatus.NEW, 1, told(REGIONS[0]), 1, NOON, NOON)
    heard = NOON + timedelta(hours=1)
    early = judge_progress(lead, LeadStatus.CONTACTED, NOON - timedelta(days=2), heard)
    assert early.counted_at == heard
    assert set(early.flags) == {"earlier_than_previous_step", "beyond_tolerance"}
    fair = judge_progress(lead, LeadStatus.CONTACTED, NOON + timedelta(minutes=5), heard)
    assert (fair.counted_at, fair.flags) == (NOON + timedelta(minutes=5), ())
    with pytest.raises(ValueError):
        judge_progress(lead, LeadStatus.NEW, NOON, heard)
