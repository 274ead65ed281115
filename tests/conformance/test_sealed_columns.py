"""Every column of every table is sealed, or stands here with the reason why nobody is harmed when it is read.

A new column fails this test until its author decides. Sealed: declare it ``SealedJson``, ``SealedText`` or
``SealedBytes`` (``adapters/storage/sealed.py``). Plain: say here what it holds, and why that tells of nobody.
"""

from typing import Any

import pytest
from sqlalchemy import Boolean, Column, Date, Float, Integer, LargeBinary, MetaData, Select, Table, Text, insert, select
from sqlalchemy.exc import StatementError

from adapters.storage import unit_of_work  # noqa: F401  (imports every room's tables into the metadata)
from adapters.storage.engine import create_database_engine
from adapters.storage.sealed import SealedBytes, SealedJson, SealedText, context_of, open_row, seal_values
from adapters.storage.tables import UtcInstant, metadata
from gateway.crypto.sealing import StoredDataUnreadable
from tests.support.storage import AT_REST

REFERENCE = "a random or partner-given name of a thing of ours, or of an entry of the record"
WORD = "one of a fixed set of words, or a dotted check name"
KEYED = "a keyed digest: it tells nothing without lookup.key"
PLACE = "an administrative division, at the smallest a street (街道) of tens of thousands"
PARTNER = "an organisation that takes part, as published to all of them"
STAFF = "the code of an official who acted in office, for whoever has to answer for it; never an applicant"
PLAIN: dict[str, dict[str, str]] = {
    "applications": {
        "application_id utility": REFERENCE,
        "region": PLACE,
        "customer_class intake applicant_kind status": WORD,
        "holder_digest": KEYED,
        "derivation": "the class that a rule gave, the clause and the rule's own words",
        "documents": "kinds, verdicts, sources, keyed digests of identifiers, digests of signed or uploaded documents",
    },
    "application_parties": {"application_id": REFERENCE},
    "application_certificates": {
        "application_id": REFERENCE,
        "kind verdict last_verdict failed_check last_check": WORD,
        "source": PARTNER,
        "holder_digest identifier_digest series_digest": KEYED,
        "content_digest": "SHA-256 of a signed document: nobody can guess the signature in it",
    },
    "rechecks_due": {"application_id lease_owner": REFERENCE, "kind reason": WORD},
    "change_feeds": {"source": PARTNER, "position": "the source's own counter", "lease_owner": REFERENCE},
    "deadline_looks": {"application_id": REFERENCE, "looked_by": "a digest of the rules in force"},
    "stage_events": {"application_id event_id record_id": REFERENCE, "content_digest": KEYED},
    "intakes": {"intake_id": REFERENCE, "holder_digest": KEYED},
    "review_tasks": {
        "task_id intake_id record_id application_id": REFERENCE,
        "holder_digest": KEYED,
        "region": PLACE,
        "customer_class state": WORD,
        "findings": "which comparisons were unsure, by fixed names; never what was compared",
        "officer settled_by": STAFF,
    },
    "review_looks": {"record_id task_id": REFERENCE, "officer looked_by": STAFF, "fields": "names of fields"},
    "authorisations": {
        "authorisation_id application_id utility": REFERENCE,
        "kinds purposes": WORD,
        "holder_digest": KEYED,
        "purge_receipt": "what a utility signed: the two ids above, and a time",
        "statement_digest": "of a statement that names the application, utility, kinds and day, and no person",
    },
    "asked_holders": {"application_id": REFERENCE, "kind": WORD, "holder_digest": KEYED},
    "named_persons": {
        "subject": REFERENCE,
        "kind": WORD,
        "person_digest": KEYED,
        "content_digest": "SHA-256 of a signed document: nobody can guess the signature in it",
    },
    "verification_sessions": {
        "session_id": REFERENCE,
        "applicant_kind method status failure": WORD,
        "state_digest token_digest": "SHA-256 of 256 random bits",
    },
    "officer_sign_ins": {
        "state_digest browser_digest": "SHA-256 of 256 random bits",
        "back": "a path of the console, without a query",
    },
    "officer_sessions": {
        "session_id": REFERENCE,
        "token_digest": "SHA-256 of 256 random bits",
        "subject": KEYED,
        "role": WORD,
    },
    "conformance_reports": {
        "report_id": REFERENCE,
        "partner_code": PARTNER,
        "ran_by": STAFF,
        "results": "codes of checks, verdicts and what was seen, as stable words",
    },
    "certificate_copies": {
        "kind": WORD,
        "holder_digest": KEYED,
        "digest": "SHA-256 of a signed document: nobody can guess the signature in it",
        "source": PARTNER,
        "level": PLACE,
    },
    "evidence_documents": {
        "digest": "SHA-256 of a signed document: nobody can guess the signature in it",
        "role": WORD,
    },
    "application_evidence": {
        "application_id": REFERENCE,
        "digest": "SHA-256 of a signed document: nobody can guess the signature in it",
    },
    "application_proofs": {
        "application_id proof_digest": REFERENCE,
        "cause": WORD,
        "proof": "kind, verdict, check, addresses of status lists, and digests of signed documents",
    },
    "joint_reviews": {"review_id application_id utility record_id": REFERENCE, "status": WORD},
    "joint_review_permits": {"permit_id review_id": REFERENCE},
    "approval_outcomes": {
        "department outcome_id permit_id record_id": REFERENCE,
        "content_digest": KEYED,
        "signed_digest": "SHA-256 of a signed document: nobody can guess the signature in it",
    },
    "projects": {
        "project_id": REFERENCE,
        "platform": PARTNER,
        "project_code works_code": "codes of a project and its works, which the approval platform publishes",
        "region": PLACE,
    },
    "project_pushes": {
        "project_id record_id": REFERENCE,
        "content_digest": KEYED,
        "signed_digest": "SHA-256 of a signed document: nobody can guess the signature in it",
        "effect": WORD,
    },
    "supply_contracts": {
        "contract_id application_id event_id record_id": REFERENCE,
        "utility": PARTNER,
        "media_type state": WORD,
        "content_digest": KEYED,
    },
    "notices": {
        "notice_key application_id": REFERENCE,
        "kind": WORD,
        "facts": "a stage, a department, an outcome or a day, by fixed names",
    },
    "notice_preferences": {"application_id": REFERENCE, "way tongue": WORD},
    "notice_sends": {"notice_key application_id lease_owner": REFERENCE, "state": WORD},
    "service_ratings": {
        "application_id record_id": REFERENCE,
        "utility answered_by": PARTNER,
        "region": PLACE,
        "level tags": WORD,
    },
    "leads": {
        "lead_id project_id": REFERENCE,
        "platform utility": PARTNER,
        "status retraction": WORD,
        "region": PLACE,
        "contacted connected": "times, fixed words, and an entry of the record",
    },
    "outbox": {
        "event_id destination subject lease_owner": REFERENCE,
        "channel type state last_reason": WORD,
        "body_sha256": "SHA-256 of a body with an id in it that the gateway drew at random",
    },
    "outbox_counters": {"destination subject": REFERENCE},
    "delivery_attempts": {"event_id": REFERENCE, "state reason outcome": WORD},
    "delivery_destinations": {"code": PARTNER, "last_reason": WORD},
    "idempotency_keys": {
        "scope": "SHA-256 over a caller, a route and the caller's random key",
        "request_digest": KEYED,
        "holder": REFERENCE,
        "media_type": WORD,
    },
    "spent_tokens": {"use": WORD, "issuer": PARTNER, "token_id": "what the issuer drew at random for one token"},
    "partner_directory": {},
    "partners": {"code name role": PARTNER, "regions": PLACE, "status": WORD},
    "partner_keys": {"partner_code kid thumbprint jwk": "public keys, as their owners publish them", "use": WORD},
    "partner_endpoints": {
        "partner_code channel url status_url": PARTNER,
        "secret_ref": "the name of a file, not what is in it",
    },
    "sharing_agreements": {
        "agreement_id partner_code": REFERENCE,
        "purpose grants stages status": WORD,
        "drafted_by tested_by approved_by activated_by": STAFF,
        "regions": PLACE,
        "clause": "the legal basis that an operator wrote for all to see",
    },
    "rule_rows": {
        "row_id": REFERENCE,
        "rule_table said status": WORD,
        "region": PLACE,
        "document_number clause basis_text basis_link": "the legal basis that an officer wrote for all to see",
        "drafted_by approved_by withdrawn_by end_proposed_by ended_by": STAFF,
        "reason": "why an officer took a rule back; rules are about nobody",
    },
    "rule_row_version": {},
    "grid_capacities": {
        "utility": PARTNER,
        "area_id record_id": REFERENCE,
        "region": PLACE,
        "area_name": "a substation, feeder or transformer, published for all to see",
        "area_kind": WORD,
        "content_digest": "over what is published",
    },
    "outages": {
        "utility": PARTNER,
        "outage_id event_id": REFERENCE,
        "kind cause": WORD,
        "region": PLACE,
        "area text": "published for all to see; refused with anything like a number of a person in it",
    },
    "outage_events": {
        "utility": PARTNER,
        "event_id outage_id record_id notified": REFERENCE,
        "content_digest": "over what is published, and references",
        "flags": WORD,
    },
    "reconciliation_days": {"utility record_id": REFERENCE, "root": "a hash over digests"},
    "reconciliation_reports": {"utility record_id": REFERENCE},
    "record_entries": {
        "log_id": REFERENCE,
        "leaf_hash": "the hash of the leaf beside it",
        "leaf": "an entry: digests, codes and references, searched in tests/flows/test_privacy.py",
        "action": WORD,
        "subject": REFERENCE,
    },
    "record_subtrees": {"log_id": REFERENCE, "root": "a hash"},
    "record_super_log": {"name holder": REFERENCE, "peaks": "hashes"},
    "record_super_leaves": {
        "log_id": REFERENCE,
        "leaf_hash leaf": "how far a log goes, its root, and the hash of that",
    },
    "record_checkpoints": {"root note": "a hash, and signatures over it: published"},
    "record_cosignatures": {"witness key_id line": "who signed a checkpoint, and the signature: published"},
    "record_time_stamps": {"authority": PARTNER, "token": "a signature over a checkpoint"},
    "record_logs": {"log_id holder": REFERENCE, "peaks last_seal_hash": "hashes"},
    "record_seals": {"log_id key_id": REFERENCE, "root previous_hash signature": "hashes, and a signature over them"},
    "restorations": {"backup_sha256": "the digest of a whole backup", "record_id": REFERENCE},
    "schema_compatibility": {"revision serves_from": "revisions of the schema"},
}
_CANNOT_NAME_ANYBODY = (UtcInstant, Date, Integer, Float, Boolean)


def plain_columns(table: Table) -> set[str]:
    return {
        column.name
        for column in table.c
        if not isinstance(column.type, SealedBytes) and not isinstance(column.type, _CANNOT_NAME_ANYBODY)
    }


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_each_column_is_sealed_or_its_author_said_why_not(table: Table) -> None:
    said = [name for names in PLAIN.get(table.name, {}) for name in names.split()]
    assert len(said) == len(set(said))
    assert plain_columns(table) == set(said)


def test_no_table_is_spoken_of_that_is_not_there() -> None:
    assert PLAIN.keys() == {table.name for table in metadata.sorted_tables}


notes = Table(
    "notes",
    MetaData(),
    Column("topic", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("text", SealedText),
    Column("body", SealedJson),
    Column("raw", SealedBytes),
    Column("seen", LargeBinary),
)
ROW = {"topic": "a", "number": 1, "text": "张三", "body": {"名": ["张三"]}, "raw": b"\x00\xff", "seen": b"plain"}


class TestSealedColumns:
    """The mechanism itself, over a table of its own."""

    @pytest.fixture
    def stored(self, database_url: str) -> Any:
        engine = create_database_engine(database_url, pool_size=1)
        with engine.connect() as connection, connection.begin():
            notes.metadata.create_all(connection)
            connection.execute(insert(notes).values(**seal_values(AT_REST.sealer, notes, ROW, {})))
            yield connection
        engine.dispose()

    @staticmethod
    def row(connection: Any, query: Select[Any] | None = None) -> Any:
        return connection.execute(query if query is not None else select(notes)).one()

    def test_what_is_put_in_comes_out_and_is_unreadable_in_between(self, stored: Any) -> None:
        row = self.row(stored)
        assert "张三".encode() not in bytes(row.text) + bytes(row.body) + bytes(row.raw)
        assert open_row(AT_REST.sealer, notes, row) == ROW

    @pytest.mark.parametrize("value", ["张三", b"plain", None])
    def test_what_was_not_sealed_never_reaches_the_database(self, stored: Any, value: Any) -> None:
        statement = insert(notes).values(topic="b", number=2, raw=value)
        if value is None:
            stored.execute(statement)
            return
        with pytest.raises((StatementError, TypeError), match=r"Statements\.sealed"):
            stored.execute(statement)

    def test_a_value_opens_in_no_other_row_or_column(self, stored: Any) -> None:
        stored.execute(insert(notes).values(topic="a", number=2, text=self.row(stored).text))
        moved = stored.execute(select(notes).where(notes.c.number == 2)).one()
        with pytest.raises(StoredDataUnreadable):
            open_row(AT_REST.sealer, notes, moved)

    def test_a_row_without_its_key_cannot_be_sealed(self) -> None:
        with pytest.raises(KeyError):
            seal_values(AT_REST.sealer, notes, {"text": "x", "topic": "a"}, {})
        seal_values(AT_REST.sealer, notes, {"text": "x", "topic": "a"}, {"number": 1})

    def test_what_is_not_there_stays_so(self) -> None:
        values = {"topic": "a", "number": 1, "text": None}
        assert seal_values(AT_REST.sealer, notes, values, {}) == values

    def test_no_two_rows_share_a_context(self) -> None:
        contexts = {
            context_of(notes, column, {"topic": topic, "number": number})
            for column in ("text", "body")
            for topic, number in (("a", 11), ("a1", 1), ("a/1", 1), ("a", 1))
        }
        assert len(contexts) == 8
