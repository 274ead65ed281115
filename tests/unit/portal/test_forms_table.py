"""Whoever adds a form says how often it may do what it does: ``tests/browser/forms.py`` has all of them."""

import re

from gateway.portal.rendering import TEMPLATES
from tests.browser.forms import FORMS, posted

ACTION = re.compile(r'<form\s[^>]*method="post"[^>]*action="([^"]+)"')
PLACE = re.compile(r"\{\{.*?\}\}|\{\w+\}")


def test_every_address_that_takes_a_form_is_in_the_table() -> None:
    assert posted() == set(FORMS)


def test_every_form_of_a_template_leads_to_one_of_them() -> None:
    known = {PLACE.sub("*", path) for path in FORMS}
    found = {
        PLACE.sub("*", action)
        for page in TEMPLATES.rglob("*.html")
        for action in ACTION.findall(page.read_text("utf-8"))
    }
    assert len(found) > 20
    assert found - {"*"} <= known, "a form that is sent to its own page (commitment) says so by its path"
