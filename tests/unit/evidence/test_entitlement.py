"""Who gets a bundle, and that it is on record before it is given."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest

from gateway.applications.errors import ApplicationUnknown
from gateway.evidence.verify_evidence import read_archive
from gateway.records.errors import RecordNotAnchored
from tests.support.databases import Databases
from tests.support.evidence import evidence_room
from tests.support.licences import OTHER_UTILITY, UTILITY, an_applicant

HOLDER = an_applicant()


async def test_each_gets_their_own_and_it_is_recorded_first(databases: Databases) -> None:
    async with evidence_room(databases.sqlite()) as room:
        application_id = (await room.room.apply()).application.application_id
        with pytest.raises(RecordNotAnchored):
            await room.service.for_applicant(application_id, HOLDER, redacted=False)
        await room.anchored()
        for refused in (
            room.service.for_applicant(application_id, replace(HOLDER, holder_digest="0" * 64), redacted=True),
            room.service.for_utility(application_id, OTHER_UTILITY),
            room.service.for_operator("app_unknown", "cli:test", redacted=True),
        ):
            with pytest.raises(ApplicationUnknown):
                await refused
        assert await room.room.entries("evidence.bundled") == []
        given = await room.service.for_applicant(application_id, HOLDER, redacted=False)
        await room.anchored()
        to_utility = await room.service.for_utility(application_id, UTILITY)
        entries = await room.room.entries("evidence.bundled")
        assert [(each["actor"], each["subject"], each["facts"]["redacted"]) for each in entries] == [
            ("applicant", application_id, False),
            (UTILITY, application_id, True),
        ]
        assert [each["facts"]["bundle_sha256"] for each in entries] == [
            sha256(each.archive).hexdigest() for each in (given, to_utility)
        ]
        assert "identity/assertion.jws" not in read_archive(given.archive), "nobody verified anybody here"
        left = json.loads(_payload(read_archive(given.archive)["manifest.jws"]))["left_out"]
        assert {"what": "assertion", "sha256": "", "why": "never_kept"} in left


async def test_a_colleague_learns_nothing_of_who_applied_for_their_enterprise(databases: Databases) -> None:
    async with evidence_room(databases.sqlite()) as room:
        await room.live()
        own = await room.service.for_applicant(room.application_id, HOLDER, redacted=False)
        assert "identity/assertion.jws" in read_archive(own.archive)
        await room.anchored()
        colleague = replace(HOLDER, person_name="同事", person_code="440106190001010013")
        theirs = read_archive(
            (await room.service.for_applicant(room.application_id, colleague, redacted=False)).archive
        )
        assert "identity/assertion.jws" not in theirs
        assert not any(HOLDER.person_code.encode() in content for content in theirs.values())
        (_, last) = await room.room.entries("evidence.bundled")
        assert last["facts"]["redacted"] is True


def _payload(token: bytes) -> bytes:
    from base64 import urlsafe_b64decode

    part = token.split(b".")[1]
    return urlsafe_b64decode(part + b"=" * (-len(part) % 4))
