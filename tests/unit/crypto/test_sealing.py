"""What is sealed opens with its own key, in its own place, and nowhere else."""

import os
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.crypto import sealing
from gateway.crypto.aead import Algorithm
from gateway.crypto.errors import AlgorithmUnavailable
from gateway.crypto.sealing import (
    HEADER_BYTES,
    UNSEALED,
    DataKey,
    FixedKeys,
    Sealer,
    StoredDataUnreadable,
    header_of,
)
from gateway.errors import GatewayError, Owner

OLD, NEW = DataKey("0000000a", b"o" * 32), DataKey("0000000b", b"n" * 32)
PLAIN, CONTEXT = "张三 440106190001011234".encode(), "application_parties.party:app_1"
each_algorithm = pytest.mark.parametrize("algorithm", Algorithm)


def sealer(*keys: DataKey, algorithm: Algorithm = Algorithm.AES_256_GCM) -> Sealer:
    return Sealer(FixedKeys(keys or (NEW,)), algorithm)


def refusal(of: Sealer, sealed: bytes, context: str = CONTEXT) -> GatewayError:
    with pytest.raises(StoredDataUnreadable) as caught:
        of.open(sealed, context)
    assert caught.value.owner is Owner.GATEWAY
    assert caught.value.remedy
    assert "张三" not in str(caught.value)
    return caught.value


@each_algorithm
@given(plain=st.binary(max_size=300), context=st.text(max_size=40))
def test_what_was_sealed_comes_back(algorithm: Algorithm, plain: bytes, context: str) -> None:
    one = sealer(algorithm=algorithm)
    sealed = one.seal(plain, context)
    assert one.open(sealed, context) == plain
    assert len(sealed) == len(plain) + HEADER_BYTES + 16


@each_algorithm
def test_nothing_of_it_can_be_read_and_the_same_again_looks_different(algorithm: Algorithm) -> None:
    one = sealer(algorithm=algorithm)
    sealed = [one.seal(PLAIN, CONTEXT) for _ in range(3)]
    assert len(set(sealed)) == 3
    assert not [each for each in sealed if b"440106" in each or PLAIN[:6] in each]


@each_algorithm
def test_no_bit_of_it_can_be_changed(algorithm: Algorithm) -> None:
    one = sealer(algorithm=algorithm)
    sealed = one.seal(PLAIN, CONTEXT)
    checks = Counter(
        refusal(one, sealed[:at] + bytes([sealed[at] ^ (1 << bit)]) + sealed[at + 1 :]).check
        for at in range(len(sealed))
        for bit in range(8)
    )
    # Format and algorithm are 16 bits, and one flip makes plain of it; the key's id is 32; the tag guards the rest.
    assert set(checks) == {"at_rest.format", "at_rest.unsealed", "at_rest.key_unknown", "at_rest.tampered"}
    assert checks["at_rest.key_unknown"] == 32
    assert checks["at_rest.unsealed"] == 1


@pytest.mark.parametrize("length", [0, 1, 2, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 1, HEADER_BYTES + 16])
def test_what_was_cut_short_is_refused(length: int) -> None:
    assert refusal(sealer(), sealer().seal(PLAIN, CONTEXT)[:length]).check in {"at_rest.format", "at_rest.tampered"}


@given(garbage=st.binary(max_size=200))
def test_garbage_is_refused_by_name(garbage: bytes) -> None:
    with pytest.raises(StoredDataUnreadable):
        sealer().open(garbage, CONTEXT)


@pytest.mark.parametrize("context", ["", "application_parties.party:app_2", "intakes.body:app_1"])
def test_it_opens_in_its_own_row_and_column_alone(context: str) -> None:
    assert refusal(sealer(), sealer().seal(PLAIN, CONTEXT), context).check == "at_rest.tampered"


def test_the_current_key_seals_and_every_known_one_opens() -> None:
    before, after = sealer(OLD), sealer(NEW, OLD)
    old = before.seal(PLAIN, CONTEXT)
    assert after.open(old, CONTEXT) == PLAIN
    assert not after.is_current(old)
    anew = after.resealed(old, CONTEXT)
    assert after.is_current(anew)
    assert header_of(anew).key_id == NEW.key_id
    assert sealer(NEW).open(anew, CONTEXT) == PLAIN


def test_what_is_current_changes_with_the_key_at_once_and_is_asked_of_sealed_values_alone() -> None:
    keys = [OLD]

    class Keys:
        def current(self) -> DataKey:
            return keys[-1]

        def find(self, key_id: str) -> DataKey | None:
            return next((key for key in keys if key.key_id == key_id), None)

    one = Sealer(Keys())
    old = one.seal(PLAIN, CONTEXT)
    assert one.is_current(old)
    keys.append(NEW)
    assert not one.is_current(old)
    new = one.seal(PLAIN, CONTEXT)
    assert (one.is_current(old), one.is_current(new)) == (False, True)
    keys.pop()
    assert (one.is_current(old), one.is_current(new)) == (True, False)
    with pytest.raises(StoredDataUnreadable):
        one.is_current(old[: HEADER_BYTES - 1])


def test_exactly_the_key_that_it_names_is_tried() -> None:
    impostor = DataKey(NEW.key_id, b"x" * 32)
    assert refusal(sealer(impostor, OLD), sealer(NEW).seal(PLAIN, CONTEXT)).check == "at_rest.tampered"


def test_a_missing_key_is_named_with_what_mends_it() -> None:
    error = refusal(sealer(NEW), sealer(OLD).seal(PLAIN, CONTEXT))
    assert error.check == "at_rest.key_unknown"
    assert getattr(error, "key_id", None) == OLD.key_id
    assert OLD.key_id in error.remedy


def test_another_algorithm_by_setting_opens_the_old_and_seals_with_its_own() -> None:
    aes, sm4 = sealer(), sealer(algorithm=Algorithm.SM4_GCM)
    sealed = aes.seal(PLAIN, CONTEXT)
    assert sm4.open(sealed, CONTEXT) == PLAIN
    assert not sm4.is_current(sealed)
    anew = sm4.resealed(sealed, CONTEXT)
    assert header_of(anew).algorithm is Algorithm.SM4_GCM
    assert aes.open(anew, CONTEXT) == PLAIN


def test_what_an_upgrade_left_plain_is_opened_by_nobody_and_sealed_by_resealing() -> None:
    one = sealer()
    assert refusal(one, UNSEALED + PLAIN).check == "at_rest.unsealed"
    assert not one.is_current(UNSEALED + PLAIN)
    assert one.open(one.resealed(UNSEALED + PLAIN, CONTEXT), CONTEXT) == PLAIN


def test_a_working_key_is_replaced_before_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "MOST_MESSAGES", 3)
    one = sealer()
    sealed = [one.seal(PLAIN, CONTEXT) for _ in range(10)]
    assert list(Counter(header_of(each).salt for each in sealed).values()) == [3, 3, 3, 1]
    assert all(one.open(each, CONTEXT) == PLAIN for each in sealed)


def test_two_processes_never_share_a_working_key() -> None:
    assert len({header_of(sealer().seal(PLAIN, CONTEXT)).salt for _ in range(50)}) == 50


def test_nonces_are_random_and_never_the_same() -> None:
    one = sealer()
    assert len({header_of(one.seal(b"", CONTEXT)).nonce for _ in range(2000)}) == 2000


def test_where_sm4_is_not_to_be_had_it_is_said_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = sealer(algorithm=Algorithm.SM4_GCM).seal(PLAIN, CONTEXT)
    sealing._cipher.cache_clear()
    monkeypatch.setattr("gateway.crypto.aead.is_available", lambda algorithm: algorithm is Algorithm.AES_256_GCM)
    with pytest.raises(AlgorithmUnavailable):
        sealer().open(sealed, CONTEXT)
    assert sealer().open(sealer().seal(PLAIN, CONTEXT), CONTEXT) == PLAIN


@pytest.mark.parametrize(("key_id", "material"), [("0a", b"k" * 32), ("0000000a", b"k" * 31), ("0000000g", b"k" * 32)])
def test_a_key_that_is_no_key_is_refused(key_id: str, material: bytes) -> None:
    with pytest.raises(ValueError):
        DataKey(key_id, material)


def test_a_key_does_not_show_in_what_is_logged() -> None:
    assert "k" * 5 not in repr(DataKey("0000000a", b"k" * 32)) + repr(FixedKeys((DataKey("0000000a", b"k" * 32),)))


def test_it_is_cheap() -> None:
    """Not a benchmark: a licence answer opens some ten values, and that must not show among its milliseconds."""
    one, plain = sealer(), os.urandom(2500)
    sealed = one.seal(plain, CONTEXT)
    started = time.process_time()
    for _ in range(1000):
        one.open(sealed, CONTEXT)
        one.seal(plain, CONTEXT)
    assert time.process_time() - started < 1.0, "half a millisecond for a value opened and sealed"
