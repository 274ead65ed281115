"""Table and repository of the certificate copies at hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Column, Connection, Index, Table, Text, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from adapters.storage.constant import Constant
from adapters.storage.plain import Plain
from adapters.storage.read_ahead import ReadAhead
from adapters.storage.sealed import SealedBytes, SealedText
from adapters.storage.statements import Statements
from adapters.storage.tables import UtcInstant, metadata, read_instant
from gateway.certificates.ports import COPIES, MOST_COUNTED, CertificateCopy, CopyVersion, HeldCopies
from gateway.crypto.sealing import StoredDataUnreadable
from gateway.transaction import Look

certificate_copies = Table(
    "certificate_copies",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("holder_digest", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("identifier", SealedText, nullable=False),
    Column("envelope", SealedBytes, nullable=False),
    Column("source", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("fetched_at", UtcInstant, nullable=False),
    Index("ix_certificate_copies_kind_fetched_at", "kind", "fetched_at"),
    Index("ix_certificate_copies_source_kind_fetched_at", "source", "kind", "fetched_at"),
)


_OF_A_COPY = ("kind", "identifier", "envelope", "source", "level", "fetched_at", "digest")

log = structlog.get_logger()

_SOURCE, _KIND, _FETCHED_AT = (certificate_copies.c[name] for name in ("source", "kind", "fetched_at"))
_BY_SOURCE = (_SOURCE, _KIND, _FETCHED_AT)
_NEW = insert_or(certificate_copies)  # compiles to the same ON CONFLICT on SQLite
_PUT = _NEW.on_conflict_do_update(
    index_elements=["kind", "holder_digest", "digest"],
    set_={name: _NEW.excluded[name] for name in ("fetched_at", "source", "level")},
)
_AGAIN = (
    update(certificate_copies)
    .where(*(certificate_copies.c[name] == bindparam(f"of_{name}") for name in ("kind", "holder_digest", "digest")))
    .values({name: bindparam(f"new_{name}") for name in ("fetched_at", "source", "level")})
)
_OF_HOLDER = certificate_copies.c.holder_digest == bindparam("of_holder")
_OF_KIND = certificate_copies.c.kind == bindparam("of_kind")
# Which are the newest is seen here: asked for the greatest time, SQLite reads all of the kind to find the holder's.
_LATEST = Constant(select(certificate_copies).where(_OF_KIND, _OF_HOLDER).order_by(certificate_copies.c.digest))
_FORGET = delete(certificate_copies).where(_OF_HOLDER)
_FORGET_KIND = _FORGET.where(_OF_KIND)
_OF_THESE = "SELECT kind, holder_digest, fetched_at, digest FROM"
_IN_ORDER = "ORDER BY kind, holder_digest, digest"
_VERSIONS_OF_ONE = Plain(f"{_OF_THESE} certificate_copies WHERE kind = ? AND holder_digest = ? {_IN_ORDER}")
# The other way round, SQLite would read all of a kind to find each holder's.
_VERSIONS = Plain(
    f"{_OF_THESE} json_each(?) AS wanted CROSS JOIN certificate_copies"
    " ON kind = json_extract(wanted.value, '$[0]') AND holder_digest = json_extract(wanted.value, '$[1]')"
    f" {_IN_ORDER}",
    f"{_OF_THESE} unnest(?::text[], ?::text[]) AS wanted(kind, holder_digest)"
    f" JOIN certificate_copies USING (kind, holder_digest) {_IN_ORDER}",
)


def read_versions(
    connection: Connection, wanted: Sequence[tuple[str, ...]]
) -> Mapping[tuple[str, ...], tuple[CopyVersion, ...]]:
    """``adapters.storage.read_ahead.Reader`` of ``COPIES``: what ``versions`` answers, by kind and holder's digest."""
    found: dict[tuple[str, ...], list[CopyVersion]] = {key: [] for key in wanted}
    for kind, holder_digest, fetched_at, digest in _VERSIONS.rows_for(connection, wanted):
        found[(kind, holder_digest)].append(CopyVersion(digest, read_instant(fetched_at)))
    return {key: _newest(versions) for key, versions in found.items()}


def _newest(versions: Sequence[CopyVersion]) -> tuple[CopyVersion, ...]:
    if len(versions) == 1:
        return (versions[0],)
    newest: datetime | None = max((each.fetched_at for each in versions), default=None)
    return tuple(each for each in versions if each.fetched_at == newest)


def _again(had: Sequence[CopyVersion], copies: Sequence[CertificateCopy]) -> tuple[CopyVersion, ...] | None:
    """What ``versions`` answers once those that were ``had`` are had anew; None where that has to be seen."""
    fetched_at = copies[0].fetched_at
    if fetched_at < had[0].fetched_at or any(each.fetched_at != fetched_at for each in copies):
        return None  # of copies that were kept before, others might be the newest then
    return tuple(CopyVersion(each.digest, fetched_at) for each in had)


class SqlCertificateCopies:
    """``gateway.certificates.ports.CertificateCopies``; the holder's code is known here by its keyed digest alone."""

    def __init__(self, statements: Statements, ahead: ReadAhead) -> None:
        self._statements = statements
        self._ahead = ahead

    def put(self, copy: CertificateCopy) -> None:
        columns = {name: getattr(copy, name) for name in _OF_A_COPY}
        columns["holder_digest"] = self._statements.holder_digest(copy.holder_code)
        self._ahead.forget([Look(COPIES, (copy.kind, columns["holder_digest"]))])
        self._statements.execute(_PUT, self._statements.sealed(certificate_copies, columns))

    def replace(self, kind: str, holder_code: str, copies: Sequence[CertificateCopy], step: timedelta) -> None:
        """The same bytes are not sealed and written again, and units that are committed together share a statement."""
        holder_digest = self._statements.holder_digest(holder_code)
        had = self.versions(kind, holder_digest)
        if not had or {each.digest for each in had} != {each.digest for each in copies}:
            self.forget_holder(holder_digest, kind)
            for copy in copies:
                self.put(copy)
            return
        if all(timedelta() <= copy.fetched_at - had[0].fetched_at < step for copy in copies):
            return
        for copy in copies:
            new = {f"new_{name}": getattr(copy, name) for name in ("fetched_at", "source", "level")}
            key = {"of_kind": kind, "of_holder_digest": holder_digest, "of_digest": copy.digest}
            self._statements.defer(_AGAIN, {**key, **new})
        # Where others write beside this unit they may be gone by now, and the next has to see it.
        now = _again(had, copies) if self._statements.writes_alone else None
        self._ahead.now((COPIES, (kind, holder_digest)), now)

    def held(self) -> Sequence[HeldCopies]:
        """What is at hand of each source and kind: a few probes of their index for each, and what is counted there."""
        found: list[HeldCopies] = []
        while (after := self._key_beyond(found[-1] if found else None)) is not None:
            source, kind = after
            own = (certificate_copies.c.source == source) & (certificate_copies.c.kind == kind)
            some = select(_FETCHED_AT).where(own).limit(MOST_COUNTED).subquery()
            counted = select(func.count()).select_from(some)
            oldest, newest = (
                self._statements.execute(select(_FETCHED_AT).where(own).order_by(*order).limit(1)).scalar_one()
                for order in (_BY_SOURCE, [column.desc() for column in _BY_SOURCE])
            )
            found.append(HeldCopies(*after, self._statements.execute(counted).scalar_one(), oldest, newest))
        return found

    def _key_beyond(self, last: HeldCopies | None) -> tuple[str, str] | None:
        following, row = select(_SOURCE, _KIND).order_by(*_BY_SOURCE).limit(1), None
        if last is not None:  # two bounds and not one of both columns: SQLite would read on from the first alone
            of_source = certificate_copies.c.source == last.source
            row = self._statements.execute(following.where(of_source, last.kind < _KIND)).one_or_none()
            following = following.where(last.source < _SOURCE)
        row = row or self._statements.execute(following).one_or_none()
        return None if row is None else (row.source, row.kind)

    def latest(self, kind: str, holder_code: str) -> Sequence[CertificateCopy]:
        rows = self._statements.ask(_LATEST, of_kind=kind, of_holder=self._statements.holder_digest(holder_code))
        newest = max((row.fetched_at for row in rows), default=None)
        copies = []
        for row in rows:
            if row.fetched_at != newest:
                continue
            try:
                opened = self._statements.opened(certificate_copies, row)
            except StoredDataUnreadable as error:  # the source has the certificate itself, and is asked for it
                log.warning("copy.unreadable", kind=kind, check=error.check)
                continue
            copies.append(CertificateCopy(holder_code=holder_code, **{name: opened[name] for name in _OF_A_COPY}))
        return copies

    def versions(self, kind: str, holder_digest: str) -> tuple[CopyVersion, ...]:
        found: tuple[CopyVersion, ...] | None = self._ahead.get((COPIES, (kind, holder_digest)))
        if found is not None:
            return found
        rows = self._statements.say(_VERSIONS_OF_ONE, (kind, holder_digest))
        return _newest([CopyVersion(digest, read_instant(at)) for _, _, at, digest in rows])

    def stand(self, kind: str, holder_digest: str, versions: tuple[CopyVersion, ...]) -> bool:
        found = self.versions(kind, holder_digest)
        if found is versions:
            return True
        if found != versions:
            return False
        self._ahead.known_as((COPIES, (kind, holder_digest)), versions)
        return True

    def forget(self, holder_code: str, kind: str | None = None) -> int:
        return self.forget_holder(self._statements.holder_digest(holder_code), kind)

    def forget_holder(self, holder_digest: str, kind: str | None = None) -> int:
        if kind is None:
            return self._statements.execute(_FORGET, {"of_holder": holder_digest}).rowcount
        self._ahead.forget([Look(COPIES, (kind, holder_digest))])
        return self._statements.execute(_FORGET_KIND, {"of_holder": holder_digest, "of_kind": kind}).rowcount
