"""Who sealed a JWS that carries its certificates (RFC 7515 §4.1.6), and files of evidence by their digest."""

import hashlib
from datetime import datetime

from ..certificates import Certificate, key_of_spki
from ..errors import NotProved, Refused
from ..examination import Examination
from ..jose import Jws
from ..paths import Paths
from ..reading import sha256_hex, unbase64, unbase64url


def status_file(examined: Examination, digest: str, suffix: str) -> bytes:
    """A list or answer of then, by its digest. Raises ``Refused``, ``NotProved``."""
    data = examined.files.get(f"status/{digest}.{suffix}")
    if data is None:
        raise NotProved("evidence that the verdict rested on is not in the bundle")
    if sha256_hex(data) != digest:
        raise Refused("a file of evidence is named after another digest")
    return data


def sealed(token: Jws, paths: Paths, at: datetime) -> tuple[Certificate, list[Certificate]]:
    """Who signed, and the path of its certificate to an anchor. Raises ``Refused``, ``NotProved``."""
    chain = token.header.get("x5c")
    if not isinstance(chain, list) or not 1 <= len(chain) <= 6:
        raise Refused("it carries no certificates")
    leaf, *carried = [unbase64(each) for each in chain]
    named = {"x5t": hashlib.sha1(leaf, usedforsecurity=False), "x5t#S256": hashlib.sha256(leaf)}
    if any(name in token.header and unbase64url(str(token.header[name])) != named[name].digest() for name in named):
        raise Refused("its header names another certificate than it carries")
    certificate = Certificate.read(leaf)
    token.verify(key_of_spki(certificate.spki))
    path = paths.require(certificate, carried, at)
    if len(path) < 2:
        raise NotProved("the seal is an anchor itself")
    return certificate, path
