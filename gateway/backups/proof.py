"""What a restored backup is held against: its manifest, heads kept outside, and numbers without a gap. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.backups.manifest import Contents, DestinationCount
from gateway.records.log import Seal


@dataclass(frozen=True)
class NumberGap:
    """Numbers of a receiver that are not 1, 2, 3 …: positions where ``subject`` is empty, else its sequences."""

    destination: str
    subject: str
    epoch: int
    count: int
    first: int
    last: int


@dataclass(frozen=True)
class KeptHeads:
    """Heads kept outside, against a backup: ``held`` must be in it, ``later`` are of what was recorded after it."""

    held: tuple[Seal, ...]
    later: tuple[Seal, ...]


def sort_kept(kept: Sequence[Seal], contents: Contents) -> KeptHeads:
    """Which of ``kept`` a backup of ``contents`` can hold: those up to the last seal of their log."""
    last = {head.log_id: head.number for head in contents.heads}
    held = tuple(seal for seal in kept if seal.number <= last.get(seal.log_id, 0))
    return KeptHeads(held, tuple(seal for seal in kept if seal.number > last.get(seal.log_id, 0)))


def entries_after(later: Sequence[Seal], contents: Contents) -> int:
    """At least so many entries were recorded after the backup: up to the last head of each log that was kept."""
    had = {head.log_id: head.last_sequence for head in contents.heads}
    newest: dict[str, int] = {}
    for seal in later:
        newest[seal.log_id] = max(newest.get(seal.log_id, 0), seal.last_sequence)
    return sum(last - had.get(log_id, 0) for log_id, last in newest.items())


def differences(manifest: Contents, restored: Contents) -> tuple[str, ...]:
    """Where the restored database is not what the manifest says; names of receivers, logs and states only."""
    found = [f"存证日志 {log_id} 的末封" for log_id in _unlike_heads(manifest, restored)]
    for destination in sorted({*manifest.outbox, *restored.outbox}):
        said, is_there = manifest.outbox.get(destination), restored.outbox.get(destination)
        if said != is_there:
            found.append(f"送达 {destination}：清单 {_told(said)}，恢复后 {_told(is_there)}")
    for name, said_ids, ids in (
        ("数据密钥", manifest.data_keys, restored.data_keys),
        ("封签密钥", manifest.seal_keys, restored.seal_keys),
    ):
        if sorted(said_ids) != sorted(ids):
            found.append(f"所需{name}：清单 {'、'.join(said_ids) or '无'}，恢复后 {'、'.join(ids) or '无'}")
    return tuple(found)


def _unlike_heads(manifest: Contents, restored: Contents) -> list[str]:
    said = {head.log_id: head.hash() for head in manifest.heads}
    is_there = {head.log_id: head.hash() for head in restored.heads}
    return sorted(log_id for log_id in {*said, *is_there} if said.get(log_id) != is_there.get(log_id))


def _told(count: DestinationCount | None) -> str:
    if count is None:
        return "没有"
    states = "、".join(f"{state} {number}" for state, number in sorted(count.states.items()))
    return f"{states}，至第 {count.last_position} 位"
