"""What an entry says, and its bytes.

An entry holds who did what, when, with which result, and digests and references to what it was about – never a name,
number or address in clear, so that a person's data can be erased without breaking the proof.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Literal, NamedTuple

import orjson

from schemas.wire import format_instant

Fact = str | int | bool | None | list[str]
Result = Literal["done", "refused"]


class SpelledFacts(Mapping[str, Fact]):
    """Facts that many entries say, checked and written out once. Raises ``ValueError`` as ``encode_entry``."""

    __slots__ = ("_facts", "spelled")

    def __init__(self, facts: Mapping[str, Fact]) -> None:
        _require_facts(facts)
        self._facts = dict(facts)
        self._spell()

    def with_text(self, name: str, text: str) -> "SpelledFacts":
        """The same with another ``text`` as the fact ``name``."""
        other = SpelledFacts.__new__(SpelledFacts)
        other._facts = {**self._facts, name: text}
        other._spell()
        return other

    def _spell(self) -> None:
        self.spelled = orjson.Fragment(orjson.dumps(self._facts, option=orjson.OPT_SORT_KEYS))

    def __getitem__(self, name: str) -> Fact:
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)


_NO_FACTS: Mapping[str, Fact] = MappingProxyType({})


class RecordEntry(NamedTuple):
    """One thing that was decided, disclosed, received, sent or refused.

    ``action`` is a dotted name (``licence.disclosed``), ``actor`` a partner's code or ``applicant``/``gateway``,
    ``subject`` the application (or other thing) it belongs to. ``facts`` are digests, codes and references.
    """

    action: str
    at: datetime
    actor: str
    subject: str | None = None
    result: Result = "done"
    facts: Mapping[str, Fact] = _NO_FACTS


def digest(data: bytes | str) -> str:
    """SHA-256 in hexadecimal: how an entry refers to bytes that it does not hold."""
    return sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def encode_entry(entry: RecordEntry) -> bytes:
    """The leaf: JSON with sorted members, no white space, UTF-8; whole numbers only, so one entry has one spelling.

    Raises ``ValueError`` for a fact of another type than ``Fact`` names.
    """
    facts = entry.facts
    if not isinstance(facts, SpelledFacts):
        _require_facts(facts)
    return orjson.dumps(
        {
            "action": entry.action,
            "actor": entry.actor,
            "at": format_instant(entry.at),
            "facts": facts.spelled if isinstance(facts, SpelledFacts) else dict(facts),
            "result": entry.result,
            "subject": entry.subject,
            "v": 1,
        },
        option=orjson.OPT_SORT_KEYS,
    )


_PLAIN = frozenset({str, int, bool, list, type(None)})
"""Types of facts, as nearly all are."""


def _require_facts(facts: Mapping[str, Fact]) -> None:
    for name, fact in facts.items():
        if type(fact) in _PLAIN:
            continue
        if isinstance(fact, float) or not isinstance(fact, str | int | list | None):
            raise ValueError(f"fact {name} is neither text, whole number, truth value, nothing nor a list of texts")


def indexed_by(leaf: bytes) -> tuple[str, str | None]:
    """Action and subject as the leaf says them: what the database finds the entry by. Raises ``ValueError``."""
    said = orjson.loads(leaf)
    match said:
        case {"action": str(action), "subject": str() | None as subject}:
            return action, subject
    raise ValueError("not an entry")
