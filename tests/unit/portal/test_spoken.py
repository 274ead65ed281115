"""What is worked out when a template is compiled is what it would say with each page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from jinja2 import Template

from gateway.portal.assets import Assets
from gateway.portal.preferences import Preferences
from gateway.portal.rendering import TEMPLATES, Pages, Site
from gateway.portal.spoken import SpokenEnvironment, SpokenTemplate
from gateway.progress.service import ProgressService
from gateway.wording.phrases import Language
from schemas.applicant_api import OutcomeView, PermitProgress, ProgressView
from schemas.contracts import ContractStanding
from schemas.partner_api import PauseView, PermitSummary
from tests.support.licences import an_applicant, licences_room
from tests.support.storage import NOON, SetClock

SNIPPETS = (
    '{{ _("首页") }}',
    "{{ _('首页') }}|{{ _('没有译文的 <b>&amp; 100%% 句子') }}",
    '<img alt="{{ _(\'本页网址的二维码\') }}" src="{{ asset("mark.svg") }}">',
    '{{ badge("done", _("已完成")) }}{{ badge(state, word) }}{{ badge("<x>", "a&b") }}',
    '{{ _("还剩 %(left)s 个工作日", left=count) }}{{ _(word) }}',
    '{% macro m(said) %}[{{ said }}]{% endmacro %}{{ m(_("首页")) }}{{ m(_("首页") ~ "<") }}',
    '{% set said = _("首页") %}{{ said }}{{ said | upper }}{{ nav("/a/b", "/a", _("首页")) }}',
    '{{ nav("/ab", "/a", word) }}{{ at | time_tag }}{{ at | day_tag }}{{ at.date() | day_tag }}',
    "{% for each in (_('首页'), word) %}{{ each }}{% endfor %}",
)
TOLD = {"state": "todo", "word": "<i>词</i>", "count": 3, "at": NOON}


def pages() -> Pages:
    return Pages(Site("平台 <&>", https=True), Assets(), SetClock())


@contextmanager
def said_with_each_page() -> Iterator[Pages]:
    """Jinja's own way: nothing is settled beforehand, and each page imports its parts for itself."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SpokenEnvironment, "settle", lambda _environment, _pure: None)
        patched.setattr(SpokenEnvironment, "template_class", Template)
        yield pages()


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_says_the_same(snippet: str, language: Language) -> None:
    told = pages()._environments[language].from_string(snippet).render(TOLD)
    with said_with_each_page() as plainly:
        assert plainly._environments[language].from_string(snippet).render(TOLD) == told


def test_it_is_worked_out_beforehand() -> None:
    environment = pages()._environments[Language.ENGLISH]
    written = environment.compile('<p>{{ _("首页") }} {{ badge("done", _("已完成")) }}</p>', raw=True)
    assert '<p>Home <strong class="badge badge-done">Done</strong></p>' in written
    assert environment.template_class is SpokenTemplate


def test_an_asset_that_there_is_not_is_told_at_once() -> None:
    with pytest.raises(KeyError):
        pages()._environments[Language.CHINESE].from_string('{{ asset("none.css") }}')


@pytest.mark.parametrize("language", Language)
def test_every_template_compiles(language: Language) -> None:
    environment = pages()._environments[language]
    for path in sorted(TEMPLATES.rglob("*.html")):
        environment.get_template(path.relative_to(TEMPLATES).as_posix())


def test_languages_do_not_share_what_they_say() -> None:
    both = pages()
    said = [both._environments[each].get_template("home.html") for each in (*Language, *Language)]
    titles = [
        re.search("<title>.*?</title>", each.render(path="/", form_token="t", now=NOON, large=False)) for each in said
    ]
    assert len({found[0] for found in titles if found}) == 2


def varied(view: ProgressView) -> Iterator[ProgressView]:
    """``view`` in many states: what the pages distinguish, by turns."""
    day = timedelta(days=1)
    pause = PauseView(from_at=NOON, until_at=NOON + day, reason="等 <用户>")
    stages = [
        [
            stage.model_copy(
                update={"state": state, "started_at": NOON, "completed_at": at, "pauses": [pause], "flags": flags}
            )
            for stage in view.stages
        ]
        for state, at, flags in (
            ("under_way", None, []),
            ("completed", NOON + day, ["late"]),
            ("paused", None, []),
            ("abandoned", None, []),
        )
    ]
    outcome = OutcomeView(
        outcome="approved",
        decided_at=NOON,
        heard_at=NOON,
        reason="同意 & <照办>",
        document_number="〔2026〕1号",
        superseded=True,
        findings=[],
    )
    permits = [
        PermitProgress(
            summary=PermitSummary.model_construct(
                permit_id="per_1",
                department="planning-440600",
                permit="construction_planning",
                state=state,
                due_on=NOON.date(),
                due_at=NOON,
            ),
            next_step="待您办理：按审批部门的要求补正材料" if state == "waiting_on_applicant" else None,
            next_step_href="/x" if state == "waiting_on_applicant" else None,
            overdue=state == "accepted",
            used_working_days=2,
            pauses=[pause.model_copy(update={"until_at": None})],
            outcomes=[outcome, outcome.model_copy(update={"superseded": False, "outcome": "rejected"})],
        )
        for state in ("submitted", "accepted", "waiting_on_applicant", "approved", "revoked", "exempt")
    ]
    contract = ContractStanding.model_construct(state="offered", valid_until=NOON + day)
    for status, (closed, reason), each in product(
        ("waiting", "under_way", "completed", "withdrawn", "ended", "paused"),
        ((None, None), (NOON, "不办了 <b>")),
        [view.stages, *stages],
    ):
        yield view.model_copy(
            update={
                "status": status,
                "closed_at": closed,
                "closing_reason": reason,
                "stages": each,
                "permits": permits if closed is None else [],
                "contract": contract if status != "waiting" else None,
            }
        )


async def test_a_page_in_every_state_says_the_same(databases: Any) -> None:
    with licences_room(databases.sqlite()) as room:
        application_id = (await room.apply()).application.application_id
        service = ProgressService(room.transactions, room.stages._rules, room.clock)
        view = await service.progress(application_id, an_applicant().holder_digest)
    told: dict[str, Any] = {
        "me": replace(an_applicant(), holder_name="甲 <公司>"),
        "names": _Names(),
        "printable": False,
        "path": f"/applications/{application_id}",
        "form_token": "t" * 64,
        "now": NOON,
    }
    beforehand = pages()
    with said_with_each_page() as plainly:
        for seen in varied(view):
            for language, large in product(Language, (True, False)):
                preferences = Preferences(language, large)
                for template in ("applicant/application.html", "applicant/timeline.html"):
                    page = beforehand.text(template, preferences, {**told, "progress": seen})
                    assert page == plainly.text(template, preferences, {**told, "progress": seen})
                    assert "<b>" not in page or "不办了 <b>" not in page


class _Names:
    def of(self, code: str) -> str:
        return f"<{code}>"

    department = of

    def permit(self, department: str, permit: str) -> str:
        return f"{department}&{permit}"
