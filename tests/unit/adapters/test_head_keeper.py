"""Heads as files: written soon, whole, forwards only, and never at the cost of a commit."""

import time
from pathlib import Path

import pytest

from adapters.head_keeper import HeadFiles, HeadUnreadable, head_paths, read_head
from gateway.records.log import LogHead, Seal
from gateway.records.merkle import leaf_hash
from tests.support.storage import NOON, SEAL_SIGNER
from tests.support.waiting import eventually

LOG = "0123456789ab"


def chain(length: int, *, log_id: str = LOG, taste: bytes = b"") -> list[Seal]:
    """Seals of one log, each over one entry; another ``taste`` gives another history."""
    head, seals = LogHead(log_id), []
    for number in range(length):
        seal, head, _ = head.sealed([leaf_hash(b"%d" % number + taste)], NOON, SEAL_SIGNER.key_id, SEAL_SIGNER.sign)
        seals.append(seal)
    return seals


def keep(directory: Path, *seals: Seal) -> None:
    keeper = HeadFiles(directory, pause_s=0.01)
    for seal in seals:
        keeper.keep(seal)
    keeper.close()


def kept(directory: Path) -> dict[str, Seal]:
    return {path.name: read_head(path) for path in head_paths(directory)}


def test_the_last_head_is_there_when_it_is_closed_and_nothing_else_is(tmp_path: Path) -> None:
    seals = chain(50)
    keep(tmp_path / "made" / "heads", *seals)
    assert kept(tmp_path / "made" / "heads") == {f"{LOG}.json": seals[-1]}
    assert len(list((tmp_path / "made" / "heads").iterdir())) == 1


def test_a_head_is_kept_soon_and_without_another_to_push_it(tmp_path: Path) -> None:
    seals = chain(3)
    keeper = HeadFiles(tmp_path, pause_s=0.2)
    keeper.keep(seals[0])
    eventually(lambda: kept(tmp_path) == {f"{LOG}.json": seals[0]}, seconds=5)
    keeper.keep(seals[1])
    keeper.keep(seals[2])
    eventually(lambda: kept(tmp_path) == {f"{LOG}.json": seals[2]}, seconds=5)
    keeper.close()


def test_each_log_has_its_own(tmp_path: Path) -> None:
    one, two = chain(2), chain(3, log_id="ba9876543210")
    keep(tmp_path, *one, *two)
    assert set(kept(tmp_path).values()) == {one[-1], two[-1]}


def test_an_older_head_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    """Another process has continued the log in the meantime."""
    seals = chain(9)
    stalled = HeadFiles(tmp_path, pause_s=0.01)
    stalled.keep(seals[3])
    eventually(lambda: bool(kept(tmp_path)), seconds=5)
    keep(tmp_path, *seals[4:])
    stalled.keep(seals[3])
    stalled.close()
    assert kept(tmp_path) == {f"{LOG}.json": seals[8]}


@pytest.mark.parametrize("first", [5, 6, 9])
def test_the_next_process_goes_on_where_the_log_goes_on(tmp_path: Path, first: int) -> None:
    seals = chain(12)
    keep(tmp_path, *seals[:5])
    keep(tmp_path, *seals[first:])
    assert kept(tmp_path) == {f"{LOG}.json": seals[-1]}


@pytest.mark.parametrize("first", [2, 4, 5])
def test_a_head_that_another_history_contradicts_is_set_aside(tmp_path: Path, first: int) -> None:
    genuine, other = chain(5), chain(12, taste=b"!")
    keep(tmp_path, *genuine)
    keep(tmp_path, *other[first:])
    keep(tmp_path, *other)
    assert kept(tmp_path)[f"{LOG}.5.json"] == genuine[-1]
    assert other[-1] in kept(tmp_path).values()


def test_a_directory_that_cannot_be_written_holds_nobody_up_and_is_tried_again(tmp_path: Path) -> None:
    in_the_way = tmp_path / "heads"
    in_the_way.write_text("a file")
    keeper = HeadFiles(in_the_way, pause_s=0.01)
    began = time.monotonic()
    for seal in (seals := chain(20)):
        keeper.keep(seal)
    assert time.monotonic() - began < 1
    in_the_way.unlink()
    eventually(lambda: kept(in_the_way) == {f"{LOG}.json": seals[-1]}, seconds=5)
    keeper.close()


def test_a_log_that_is_named_as_no_log_is_writes_nowhere(tmp_path: Path) -> None:
    keep(tmp_path / "heads", *chain(1, log_id="../outside"))
    assert not list(tmp_path.rglob("*.json"))


def test_what_is_no_head_is_told_and_gives_way(tmp_path: Path) -> None:
    path = tmp_path / f"{LOG}.json"
    path.write_text("{}")
    with pytest.raises(HeadUnreadable, match=r"holds no head of a log\.$"):
        read_head(path)
    keep(tmp_path, *chain(1))
    assert kept(tmp_path) == {path.name: chain(1)[0]}
    with pytest.raises(HeadUnreadable, match="cannot be opened"):
        read_head(tmp_path / "none")
    with pytest.raises(HeadUnreadable, match="cannot be opened"):
        head_paths(path)
    assert head_paths(tmp_path / "none") == []
