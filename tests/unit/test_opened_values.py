"""What was opened is remembered for the very same sealed bytes under today's key, by few, and not for long."""

from types import SimpleNamespace
from typing import Any

import pytest

from adapters.storage.approvals import joint_reviews
from adapters.storage.opened import OpenedValues
from adapters.storage.sealed import AtRest, read_remembered, seal_values
from gateway.crypto.sealing import DataKey, Sealer, StoredDataUnreadable
from tests.support.storage import DIGESTS

OLD, NEW = DataKey("01d01d01", b"o" * 32), DataKey("0e30e30e", b"n" * 32)


class Keys:
    """Data keys at hand; the last of them seals."""

    def __init__(self, *keys: DataKey) -> None:
        self.keys = list(keys)

    def current(self) -> DataKey:
        return self.keys[-1]

    def find(self, key_id: str) -> DataKey | None:
        return next((key for key in self.keys if key.key_id == key_id), None)


class Shelf:
    """One row of a review, and how often it was parsed."""

    def __init__(self) -> None:
        self.keys = Keys(OLD)
        self.at_rest = AtRest(Sealer(self.keys), DIGESTS)
        self.parsed = 0
        self.row = self.sealed({"said": "first"})

    def sealed(self, review: dict[str, Any], review_id: str = "rev_1") -> Any:
        values = {"review_id": review_id, "review": review}
        return SimpleNamespace(**seal_values(self.at_rest.sealer, joint_reviews, values, {}))

    def read(self) -> Any:
        def parse(stored: dict[str, Any]) -> dict[str, Any]:
            self.parsed += 1
            return stored

        return read_remembered(self.at_rest, joint_reviews, "review", self.row, parse)


def test_the_same_bytes_are_parsed_once_and_others_anew() -> None:
    shelf = Shelf()
    assert [shelf.read(), shelf.read(), shelf.parsed] == [{"said": "first"}] * 2 + [1]
    shelf.row = shelf.sealed({"said": "by another process"})
    assert (shelf.read(), shelf.parsed) == ({"said": "by another process"}, 2)
    shelf.row = shelf.sealed({"said": "by another process"})
    assert (shelf.read(), shelf.parsed) == ({"said": "by another process"}, 3)


def test_bytes_that_were_moved_to_another_row_are_not_read_there() -> None:
    shelf = Shelf()
    shelf.read()
    shelf.row = SimpleNamespace(review_id="rev_2", review=shelf.row.review)
    with pytest.raises(StoredDataUnreadable):
        shelf.read()


def test_once_the_key_has_changed_what_it_sealed_is_opened_anew_and_not_at_all_without_it() -> None:
    shelf = Shelf()
    shelf.read()
    shelf.keys.keys.append(NEW)
    assert (shelf.read(), shelf.read(), shelf.parsed) == ({"said": "first"}, {"said": "first"}, 3)
    shelf.keys.keys.remove(OLD)
    with pytest.raises(StoredDataUnreadable):
        shelf.read()


def test_few_are_remembered_and_none_for_long() -> None:
    now = [0.0]
    values = OpenedValues(most=2, kept_s=300.0, elapsed=lambda: now[0])
    for place in ("a", "b", "c"):
        values.keep(place, b"sealed", place)
    assert [values.get(place, b"sealed") for place in ("a", "b", "c")] == [None, "b", "c"]
    assert values.get("b", b"other") is None
    now[0] = 300.0
    values.sweep()
    assert len(values) == 0
