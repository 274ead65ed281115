"""The verifier's own implementations against the gateway's, which share no line: whoever accepts less may differ."""

import ast
import base64
import json
import random
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from gateway.crypto import sm2
from gateway.crypto.errors import JoseRefused
from gateway.crypto.jwk import SigningKey, export_jwk, parse_jwk
from gateway.crypto.jws import sign_jws
from gateway.crypto.signatures import sign
from gateway.crypto.strict_json import encode_base64url
from gateway.evidence import verify_evidence as alone
from gateway.records import merkle
from gateway.records.checkpoints import Checkpoint, NoteSigner, sign_checkpoint
from gateway.records.notes import ED25519_TYPE, SM2_TYPE, VerifierKey
from schemas.status_lists import pack_statuses
from tests.support.partners import ed25519_key, es256_key
from tests.vectors.test_vectors import ABOUT, TOKENS, unb64

AT = datetime.fromisoformat(ABOUT["chains"]["at"])


FOLDER = Path(alone.__file__).parent


def test_it_imports_nothing_but_itself_the_standard_library_and_cryptography() -> None:
    imported: set[str] = set()
    for path in FOLDER.rglob("*.py"):
        depth = len(path.relative_to(FOLDER).parts)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {each.name.split(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add((node.module or "").split(".")[0])
            elif isinstance(node, ast.ImportFrom):
                assert node.level <= depth, f"{path} reaches out of the folder"
    assert imported - sys.stdlib_module_names == {"cryptography"}
    assert imported.isdisjoint({"socket", "urllib", "http", "ssl", "sqlite3", "subprocess"})


def test_inclusion_in_every_small_tree_and_in_no_other_place() -> None:
    leaves = [merkle.leaf_hash(str(number).encode()) for number in range(40)]
    for size in range(1, 41):
        root = merkle.root(leaves[:size])
        for index in range(size):
            proof = merkle.inclusion_proof(leaves[:size], index)
            assert alone.record.included(leaves[index], index, size, proof) == root
            for other in (index ^ 1, size - 1 - index):
                if other != index and other < size:
                    claim = (leaves[index], other, size, proof, root)
                    assert holds(*claim) is verifies(*claim)


def test_inclusion_proofs_that_were_tampered_with() -> None:
    chance, leaves = random.Random(3), [merkle.leaf_hash(bytes([number])) for number in range(64)]
    for _ in range(400):
        size = chance.randint(1, 64)
        index = chance.randrange(size)
        proof = merkle.inclusion_proof(leaves[:size], index)
        mutated = [chance.randbytes(32) if not chance.randrange(3) else each for each in proof]
        mutated = chance.choice([mutated, proof[:-1], [*proof, leaves[0]], proof[::-1]])
        root, claimed = merkle.root(leaves[:size]), chance.choice([size, size + 1, max(1, size - 1)])
        found = holds(leaves[index], index, claimed, mutated, root)
        assert found is verifies(leaves[index], index, claimed, mutated, root)


def holds(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    try:
        return alone.record.included(leaf, index, size, proof) == root
    except alone.errors.Refused:
        return False


def verifies(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    try:
        merkle.verify_inclusion(leaf, index, size, proof, root)
    except merkle.ProofInvalid:
        return False
    return True


@pytest.mark.parametrize("case", ABOUT["tokens"]["cases"], ids=lambda case: case["name"])
def test_no_token_is_taken_that_the_gateway_s_signature_check_refuses(case: dict[str, Any]) -> None:
    """Times, audience and the like are each statement's own; what is compared is spelling, header and signature."""
    about = (TOKENS / f"{case['name']}.jwt").read_bytes()
    keys = [parse_jwk(key) for key in ABOUT["tokens"]["keys"]]
    outside = {"jose.signature", "jose.base64url", "jose.compact", "jose.typ", "jose.crit", "jose.header_key"}
    taken = False
    try:
        token = alone.jose.Jws.read(about, ABOUT["tokens"]["typ"])
        for key in keys:
            try:
                token.verify(alone.keys.key_of_jwk(export_jwk(key)))
                token.claims()
                taken = True
            except (alone.errors.Refused, alone.errors.NotProved):
                continue
    except alone.errors.Refused:
        taken = False
    assert not (taken and case["check"] in outside), case["why"]
    assert taken or case["check"] is not None, case["why"]


@pytest.mark.parametrize("make", [es256_key, ed25519_key])
def test_tokens_of_the_gateway(make: Any) -> None:
    key: SigningKey = make("k")
    token = sign_jws({"iss": "a"}, key, "note+jwt").encode()
    read = alone.jose.Jws.read(token, "note+jwt")
    read.verify(alone.keys.key_of_jwk(export_jwk(key.public())))
    assert read.claims() == {"iss": "a"}
    other: SigningKey = make("k")
    with pytest.raises(alone.errors.Refused):
        read.verify(alone.keys.key_of_jwk(export_jwk(other.public())))
    for at in range(0, len(token), 7):
        flipped = token[:at] + bytes([token[at] ^ 1]) + token[at + 1 :]
        with pytest.raises(alone.errors.Refused):
            alone.jose.Jws.read(flipped, "note+jwt").verify(alone.keys.key_of_jwk(export_jwk(key.public())))


@pytest.mark.parametrize("case", ABOUT["chains"]["cases"], ids=lambda case: case["name"])
def test_no_path_is_proved_that_the_gateway_s_judgement_does_not_allow(
    case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if case["crls"] is None and case["status"] is None:
        monkeypatch.setattr(alone.paths.Paths, "_require_unrevoked", lambda *_: None)
    try:
        anchors = [alone.certificates.Certificate.read(each) for each in unb64(case["anchors"]) or []]
        paths = alone.paths.Paths(anchors, [], unb64(case["crls"]) or [], unb64(case["status"]) or [])
        leaf = alone.certificates.Certificate.read(base64.b64decode(case["leaf"]))
        paths.require(leaf, unb64(case["intermediates"]) or [], AT)
        found = "valid"
    except alone.errors.NotProved:
        found = "indeterminate"
    except alone.errors.Refused:
        found = "invalid"
    allowed = {"valid": {"valid", "indeterminate"}, "invalid": {"invalid", "indeterminate"}}
    judged = allowed.get(case["verdict"], {"indeterminate", "invalid"})
    if case["policies"] is not None:
        judged = judged | {"valid"}  # certificate policies are none of its business, and docs/evidence.md says so
    assert found in judged, case["why"]


def test_good_paths_are_proved() -> None:
    names = {case["name"]: case for case in ABOUT["chains"]["cases"] if case["verdict"] == "valid" and case["crls"]}
    assert len(names) > 3
    doubts: list[tuple[str, str]] = []
    for case in names.values():
        anchors = [alone.certificates.Certificate.read(each) for each in unb64(case["anchors"]) or []]
        paths = alone.paths.Paths(anchors, [], unb64(case["crls"]) or [], unb64(case["status"]) or [])
        leaf = alone.certificates.Certificate.read(base64.b64decode(case["leaf"]))
        try:
            paths.require(leaf, unb64(case["intermediates"]) or [], AT)
        except alone.errors.NotProved as doubt:
            doubts.append((case["name"], str(doubt)))
    assert len(doubts) < len(names) / 2, doubts


@pytest.mark.skipif(sm2.self_test() is None, reason="no library here speaks SM2")
def test_sm2_of_the_system_s_library() -> None:
    private = sm2.generate_private_key()
    point = sm2.point_of(private.public_key.spki) or b""
    key = alone.sm2.Sm2Key(int.from_bytes(point[1:33]), int.from_bytes(point[33:]))
    for message in (b"", b"message", b"x" * 1000):
        signature = sm2.signature_to_raw(private.sign(message))
        key.verify(signature, message)
        with pytest.raises(InvalidSignature):
            key.verify(signature, message + b"!")
    assert alone.certificates.key_of_spki(private.public_key.spki) == key
    signed = b".".join(encode_base64url(each) for each in (b'{"alg":"SM2-SM3","typ":"note+jwt"}', b"{}"))
    token = signed + b"." + encode_base64url(sm2.signature_to_raw(private.sign(signed)))
    alone.jose.Jws.read(token, "note+jwt").verify(key)
    note_key = VerifierKey("gateway.example/record", SM2_TYPE, point)
    signer = NoteSigner(note_key, lambda text: sm2.signature_to_raw(private.sign(text)))
    note = sign_checkpoint(Checkpoint("gateway.example/record", 1, bytes(32)), [signer])
    read = alone.record.Checkpoint.read(str(note))
    ((name, hint, line),) = read.lines
    found = alone.record.NoteKey.read(str(note_key))
    assert (found.name, found.hint) == (name, hint)
    assert found.verify(line, read.text) is None


def test_verifier_keys_and_checkpoints() -> None:
    signing = ed25519_key("seal")
    private: Any = signing.private_key
    key = VerifierKey("gateway.example/record", ED25519_TYPE, private.public_key().public_bytes_raw())
    note = sign_checkpoint(Checkpoint("gateway.example/record", 7, bytes(range(32))), [NoteSigner(key, private.sign)])
    found, read = alone.record.NoteKey.read(str(key)), alone.record.Checkpoint.read(str(note))
    assert (read.origin, read.size, read.root) == ("gateway.example/record", 7, bytes(range(32)))
    ((_, _, signature),) = read.lines
    assert found.verify(signature, read.text) is None
    text = str(note)
    for at in range(len(text)):
        changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
        assert not _signed(changed, found), at


def _signed(note: str, key: Any) -> bool:
    try:
        read = alone.record.Checkpoint.read(note)
        lines = [line for line in read.lines if (line[0], line[1]) == (key.name, key.hint)]
        for _, _, signature in lines:
            key.verify(signature, read.text)
        return bool(lines) and read.origin == key.name
    except alone.errors.Refused:
        return False


def test_status_lists() -> None:
    chance = random.Random(4)
    for bits in (1, 2, 4, 8):
        statuses = [chance.randrange(1 << min(bits, 2)) for _ in range(100)]
        listed = {"bits": bits, "lst": pack_statuses(statuses, bits)}  # type: ignore[arg-type]
        assert [alone.revocation.status_at(listed, index) for index in range(100)] == statuses
        with pytest.raises(alone.errors.Refused):
            alone.revocation.status_at(listed, 10_000)


def test_signatures_of_certificates_by_every_scheme() -> None:
    message = b"to be signed"
    for case in ABOUT["signatures"]["cases"]:
        if case["encoding"] != "raw" or case["refused"] is not None:
            continue
        key = alone.certificates.key_of_spki(bytes.fromhex(case["key"]))
        alone.keys.verify_jose(case["scheme"], key, bytes.fromhex(case["signature"]), bytes.fromhex(case["message"]))
    key = es256_key("k")
    alone.keys.verify_jose(
        "ES256", alone.keys.key_of_jwk(export_jwk(key.public())), sign("ES256", key.private_key, message), message
    )


def test_json_with_two_readings_is_refused() -> None:
    for text in (b'{"a": 1, "a": 2}', b'{"a": NaN}', b'{"a": Infinity}', b"\xff", b"[" * 100_000, b"9" * 5000):
        with pytest.raises(alone.errors.Refused):
            alone.reading.read_json(text)
    assert json.loads(b'{"a": [1]}') == alone.reading.read_json(b'{"a": [1]}')
    assert JoseRefused is not alone.errors.Refused
