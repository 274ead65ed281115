"""The audit of what lies above the logs, after someone with the database in his hands tampered with it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import text

from adapters.storage.engine import create_database_engine
from adapters.storage.record_audit import SqlAuditReader
from adapters.storage.statements import Statements
from gateway.records.audit import AuditReport, Outside, audit
from gateway.records.checkpoints import Checkpoint, NoteSigner, cosign, cosignatures_of, sign_checkpoint
from gateway.records.merkle import leaf_hash
from gateway.records.notes import COSIGNATURE_TYPE, Note, SignatureLine, VerifierKey
from gateway.records.super_log import SuperLeaf, encode_leaf
from tests.support.anchoring import LOG_SIGNER, ORIGIN, anchoring, entry, recorded
from tests.support.databases import Databases
from tests.support.storage import AT_REST, NOON, SEAL_KEYS, SEAL_SIGNER, SetClock, opened

WITNESS = NoteSigner(
    VerifierKey("witness.example/w1", COSIGNATURE_TYPE, LOG_SIGNER.key.public_key), SEAL_SIGNER.private_key.sign
)


@dataclass(frozen=True)
class Anchored:
    """A log of 300 entries with four checkpoints, the third of them co-signed."""

    database_url: str
    log_id: str
    notes: Sequence[Note]

    @contextmanager
    def tampered(self, *statements: str, **parameters: Any) -> Iterator[Callable[..., AuditReport]]:
        """Run ``statements`` behind the gateway's back, yield an audit of what they leave, and take them back."""
        engine = create_database_engine(self.database_url, pool_size=1)
        sqlite = self.database_url.startswith("sqlite")
        with closing(engine.connect()) as connection:
            loosen = "PRAGMA foreign_keys=OFF" if sqlite else "SET session_replication_role = replica"
            connection.connection.cursor().execute(loosen)
            for statement in statements:
                given = {name: value for name, value in parameters.items() if f":{name}" in statement}
                assert connection.execute(text(statement), given).rowcount != 0, statement
            reader = SqlAuditReader(Statements(connection, AT_REST, savepoint=False))

            def audited(*kept: Note, witnesses: Sequence[VerifierKey] = (WITNESS.key,)) -> AuditReport:
                return audit(reader, SEAL_KEYS, outside=Outside(kept, (), witnesses))

            yield audited
        engine.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def anchored(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Anchored]:
    with databases.postgresql() if request.param == "postgresql" else nullcontext(databases.sqlite()) as url:
        yield asyncio.run(anchor(url))


async def anchor(database_url: str) -> Anchored:
    clock, notes = SetClock(), []
    with opened(database_url, clock) as transactions:
        for size in (100, 100, 90, 10):
            ids = await recorded(transactions, *map(entry, range(size)))
            latest = await anchoring(transactions, clock).anchor_once()
            assert latest is not None
            notes.append(latest.note)
        found = cosignatures_of(notes[2].also_signed([cosign(notes[2].text, WITNESS, NOON)]), [WITNESS.key])
        await transactions.write(lambda tx: tx.super_log.add_cosignatures(3, found))
    return Anchored(database_url, ids[0].split("-")[0], notes)


def test_what_nobody_touched_is_whole(anchored: Anchored) -> None:
    with anchored.tampered() as audited:
        report = audited(*anchored.notes)
        assert report.broken == ()
        above = report.above
        assert (above.leaves, above.checkpoints, above.kept) == (4, 4, 4)
        assert (above.cosignatures, above.strangers) == (1, 0)
        assert (audited(witnesses=()).above.cosignatures, audited(witnesses=()).above.strangers) == (0, 1)


OTHER_LEAF = encode_leaf(SuperLeaf("other", 1, 1, bytes(32)))
SWAPPED = sign_checkpoint(Checkpoint(ORIGIN, 2, bytes(32)), [LOG_SIGNER])
CASES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "a leaf": (("UPDATE record_super_leaves SET leaf = :other WHERE position = 1",), "super-2", "the leaf was changed"),
    "a leaf with its hash": (
        ("UPDATE record_super_leaves SET leaf = :other, leaf_hash = :hash WHERE position = 1",),
        "super-2",
        "another log than it names",
    ),
    "a leaf and all beside it": (
        (
            "UPDATE record_super_leaves SET leaf = :other, leaf_hash = :hash, log_id = 'other', last = 1, number = 1 "
            "WHERE position = 1",
        ),
        "super-2",
        "a log that there is not",
    ),
    "a leaf's hash": (("UPDATE record_super_leaves SET leaf_hash = :zeros WHERE position = 1",), "super-2", "changed"),
    "a leaf's last": (("UPDATE record_super_leaves SET last = 150 WHERE position = 1",), "super-2", "filed under"),
    "a leaf that is gone": (("DELETE FROM record_super_leaves WHERE position = 1",), "super-2", "the leaf is missing"),
    "a leaf below the first": (
        ("UPDATE record_super_leaves SET position = -1 WHERE position = 0",),
        "super-1",
        "the leaf is missing",
    ),
    "the last leaf that is gone": (
        ("DELETE FROM record_super_leaves WHERE position = 3",),
        "super-4",
        "was cut off: a checkpoint has 4",
    ),
    "the last leaf and checkpoint": (
        ("DELETE FROM record_super_leaves WHERE position = 3", "DELETE FROM record_checkpoints WHERE size = 4"),
        "super-4",
        "the head of the super log",
    ),
    "the last checkpoint": (("DELETE FROM record_checkpoints WHERE size = 4",), "super-4", "no checkpoint covers"),
    "a checkpoint's root": (
        ("UPDATE record_checkpoints SET root = :zeros WHERE size = 2",),
        "super-2",
        "is not over those that there are",
    ),
    "a checkpoint's note": (
        ("UPDATE record_checkpoints SET note = :swapped WHERE size = 2",),
        "super-2",
        "is not over those that there are",
    ),
    "a checkpoint's note that is none": (
        ("UPDATE record_checkpoints SET note = 'x' WHERE size = 2",),
        "super-2",
        "cannot be read",
    ),
    "a checkpoint's signature": (
        ("UPDATE record_checkpoints SET note = :forged WHERE size = 2",),
        "super-2",
        "has a wrong signature",
    ),
    "a checkpoint by a stranger": (
        ("UPDATE record_checkpoints SET note = :stranger WHERE size = 2",),
        "super-2",
        "by no key that this audit was given",
    ),
    "a cosignature": (
        ("UPDATE record_cosignatures SET line = :line",),
        "super-3",
        "a cosignature of the checkpoint is wrong",
    ),
    "a cosignature that is none": (("UPDATE record_cosignatures SET line = 'x'",), "super-3", "is wrong"),
    "a cosignature's witness": (
        ("UPDATE record_cosignatures SET witness = 'other'",),
        "super-3",
        "another witness than it names",
    ),
    "a cosignature of nothing": (("UPDATE record_cosignatures SET size = 9",), "super-9", "that there is not"),
    "the head": (("UPDATE record_super_log SET size = 5, peaks = :two",), "super-5", "the head of the super log"),
    "the head's peaks": (("UPDATE record_super_log SET peaks = :two",), "super-4", "do not fit its size"),
    "no head": (("DELETE FROM record_super_log",), "super-5", "the head of the super log"),
    "a subtree": (("UPDATE record_subtrees SET root = :zeros",), "LOG-201", "the stored subtree 0 of level 1"),
    "a subtree beyond": (("UPDATE record_subtrees SET position = 1",), "LOG-301", "entries that there are not"),
    "a subtree below": (("UPDATE record_subtrees SET position = -1",), "LOG-201", "is another"),
    "a subtree of another level": (("UPDATE record_subtrees SET level = 2",), "LOG-301", "entries that there are not"),
    "a subtree of no log": (("UPDATE record_subtrees SET log_id = 'other'",), "other", "a log that there is not"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_first_wrong_place_is_named(anchored: Anchored, case: str) -> None:
    statements, where, reason = CASES[case]
    second = anchored.notes[1]
    forged = replace(second, signatures=tuple(replace(each, signature=bytes(64)) for each in second.signatures))
    stranger = Note(second.text, (SignatureLine(ORIGIN, b"\0\0\0\0", bytes(64)),))
    parameters = {
        "other": OTHER_LEAF,
        "hash": leaf_hash(OTHER_LEAF),
        "zeros": bytes(32),
        "two": bytes(64),
        "swapped": str(SWAPPED),
        "forged": str(forged),
        "stranger": str(stranger),
        "line": str(replace(cosign(second.text, WITNESS, NOON))),
    }
    with anchored.tampered(*statements, **parameters) as audited:
        found = [(each.where, each.reason) for each in audited().broken]
    expected = where.replace("LOG", anchored.log_id)
    assert any(where == expected and reason in said for where, said in found), found


def test_a_log_that_was_cut_off_with_all_its_own_traces_is_named_by_the_super_log(anchored: Anchored) -> None:
    """Entries, seals, subtrees and head rewound to the second seal, and signed: only what lies above knows better."""
    statements = (
        "DELETE FROM record_entries",
        "DELETE FROM record_seals",
        "DELETE FROM record_subtrees",
        "DELETE FROM record_logs",
    )
    with anchored.tampered(*statements) as audited:
        found = [each.reason for each in audited().broken]
    assert "the leaf names a log that there is not" in found


def test_checkpoints_kept_outside_know_what_was_cut_off_or_exchanged(anchored: Anchored) -> None:
    cut = (
        "DELETE FROM record_super_leaves WHERE position = 3",
        "DELETE FROM record_checkpoints WHERE size = 4",
        "UPDATE record_super_log SET size = 3, peaks = (SELECT peaks FROM record_super_log)",
    )
    with anchored.tampered(*cut) as audited:
        reasons = [each.reason for each in audited(anchored.notes[3]).broken]
    assert any("was kept outside" in reason or "do not fit" in reason for reason in reasons), reasons
    with anchored.tampered() as audited:
        (broken,) = audited(SWAPPED).broken
        assert (broken.where, "not the one of the checkpoint" in broken.reason) == ("super-2", True)
        unsigned = replace(anchored.notes[0], signatures=(SignatureLine("x", b"abcd", b"x"),))
        (broken,) = audited(unsigned).broken
        assert "kept outside is signed by no key" in broken.reason


@pytest.mark.parametrize("column", ["leaf", "leaf_hash", "last", "number"])
@pytest.mark.parametrize("anchored", ["sqlite"], indirect=True)
def test_a_value_of_another_kind_is_told(anchored: Anchored, column: str) -> None:
    with anchored.tampered(f"UPDATE record_super_leaves SET {column} = 1.5 WHERE position = 1") as audited:
        assert any(f"the {column} of leaf 1" in each.reason for each in audited().broken)
