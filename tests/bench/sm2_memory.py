"""``python -m tests.bench.sm2_memory [COUNT]``: a million SM2 verifications, and what they leave behind in memory.

Under cached keys and under keys parsed anew, of good signatures and of bad ones, in turn. Resident memory is printed
as it goes; the suite holds a smaller number to a bound (tests/unit/crypto/test_sm2.py).
"""

import argparse
import gc
import resource
import time
from pathlib import Path

from gateway.crypto import sm2
from gateway.crypto.errors import SignatureInvalid
from gateway.crypto.signatures import Encoding, verify_signature

WARM_UP = 20_000
"""Verifications before the first reading: caches and allocator have then found their size."""
KEYS = 2 * sm2.KEY_CACHE_SIZE
"""Twice what the cache holds, taken in order, so that under this many keys none is ever found in it."""


def resident_kib() -> int:
    """This process's resident memory in KiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sm2_memory", description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=1_000_000)
    count = parser.parse_args().count
    private = [sm2.generate_private_key() for _ in range(KEYS)]
    signed = [(key.public_key.spki, key.sign(b"good")) for key in private]
    del private
    print(f"{sm2.library().version}; {count:,} verifications under {KEYS:,} keys, a cache of {sm2.KEY_CACHE_SIZE:,}")
    _verify(signed, WARM_UP)
    gc.collect()
    before, started = resident_kib(), time.monotonic()
    print(f"{0:>9,}: {before:,} KiB")
    step = max(count // 10, 1)
    for done in range(0, count, step):
        _verify(signed, min(step, count - done))
        print(f"{min(done + step, count):>9,}: {resident_kib():,} KiB", flush=True)
    gc.collect()
    took = time.monotonic() - started
    print(f"grown by {resident_kib() - before:,} KiB in {count:,} verifications, {took:,.0f} s")


def _verify(signed: list[tuple[bytes, bytes]], count: int) -> None:
    """Half under keys that come round too late for the cache, half under one that is always there; every other bad."""
    cached, signature_of_cached = signed[0]
    for number in range(count):
        spki, signature = signed[number // 2 % KEYS] if number % 2 else (cached, signature_of_cached)
        good = number // 2 % 2 == 0
        try:
            verify_signature("SM2-SM3", spki, b"good" if good else b"bad", signature, encoding=Encoding.DER)
        except SignatureInvalid:
            if good:
                raise
        else:
            if not good:
                raise AssertionError("a bad signature was taken")


if __name__ == "__main__":
    main()
