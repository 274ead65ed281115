"""C2SP signed notes, checkpoints and cosignatures: known answers, and everything that is not written as they are."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.crypto import sm2
from gateway.records.checkpoints import (
    Checkpoint,
    NoteSigner,
    cosign,
    cosignatures_of,
    cosigned_message,
    parse_checkpoint,
    sign_checkpoint,
    verified_checkpoint,
)
from gateway.records.notes import (
    COSIGNATURE_TYPE,
    ED25519_TYPE,
    SM2_TYPE,
    Note,
    NoteInvalid,
    SignatureLine,
    VerifierKey,
    parse_note,
    parse_signature_lines,
    parse_vkey,
    proved_by,
)
from tests.support.storage import NOON

# The example of the Go module golang.org/x/mod/sumdb/note, in which the format was first published.
PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# The example checkpoint of C2SP tlog-checkpoint and tlog-cosignature; its keys were not published.
EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE"
    "+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe"
    "+mbIUBkBIfZ+qnA==\n"
)
# By hand from the specifications, with the private key of RFC 8032 §7.1 TEST 1.
RFC_8032 = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
ORIGIN = "gateway.example/record"
KNOWN_LOG_KEY = "gateway.example/record+d604c04e+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"
KNOWN_WITNESS_KEY = "witness.example/w1+eb762cc2+BNdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"
KNOWN_NOTE = (
    "gateway.example/record\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n"
    "— gateway.example/record 1gTATrEBDbnLN0DT/8nFo7RcR0MSkn2pQjKSYBSrgVhoyV5VMvfmtjaRFN"
    "WrfI2eH9e/aK2iMqVEJ0KHgySngAXnsQc=\n"
)
KNOWN_COSIGNATURE = (
    "— witness.example/w1 63YswgAAAABppQtAZAYvG7ILH/dhv2MJqBjmNH9TmKc4A2l6EoIyjM0wTJGosBGCyfkN"
    "V64LtYBXfXVXgyN5zeV/o5tiBoMmiLq9Dw==\n"
)


def ed25519(name: str = ORIGIN, kind: bytes = ED25519_TYPE, key: Ed25519PrivateKey = RFC_8032) -> NoteSigner:
    return NoteSigner(VerifierKey(name, kind, key.public_key().public_bytes_raw()), key.sign)


LOG, WITNESS = ed25519(), ed25519("witness.example/w1", COSIGNATURE_TYPE)
CHECKPOINT = Checkpoint(ORIGIN, 7, bytes(range(32)))
NOTE = sign_checkpoint(CHECKPOINT, [LOG])


def test_the_published_note_is_proved_by_the_published_key() -> None:
    key = parse_vkey(PUBLISHED_KEY)
    note = parse_note(PUBLISHED_NOTE.encode())
    assert (str(key), str(note), proved_by(note, [key])) == (PUBLISHED_KEY, PUBLISHED_NOTE, (key,))


def test_the_example_checkpoint_says_what_the_specification_says_of_it() -> None:
    note = parse_note(EXAMPLE.encode())
    assert str(note) == EXAMPLE
    checkpoint = parse_checkpoint(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.text() == note.text
    (_, cosignature) = note.signatures
    assert int.from_bytes(cosignature.signature[:8]) == 1679315147
    assert cosigned_message(note.text, 1679315147).decode() == f"cosignature/v1\ntime 1679315147\n{note.text}"


def test_known_answers_by_hand() -> None:
    """Key IDs: ``printf 'name\\n\\001'`` and the key, through ``sha256sum``."""
    assert str(LOG.key) == KNOWN_LOG_KEY
    assert str(WITNESS.key) == KNOWN_WITNESS_KEY
    assert str(NOTE) == KNOWN_NOTE
    assert str(cosign(NOTE.text, WITNESS, NOON)) == KNOWN_COSIGNATURE


def test_what_was_signed_is_proved_and_a_cosignature_says_when() -> None:
    whole = parse_note(str(NOTE.also_signed([cosign(NOTE.text, WITNESS, NOON)])).encode())
    assert verified_checkpoint(whole, [LOG.key], ORIGIN) == CHECKPOINT
    (cosignature,) = cosignatures_of(whole, [WITNESS.key])
    assert (cosignature.witness, cosignature.seen_at) == ("witness.example/w1", NOON)
    assert cosignatures_of(NOTE, [WITNESS.key]) == ()


def test_lines_of_strangers_are_passed_over_and_alone_prove_nothing() -> None:
    stranger = ed25519(key=Ed25519PrivateKey.generate())
    both = Note(NOTE.text, (stranger.line(NOTE.text), *NOTE.signatures))
    assert proved_by(both, [LOG.key]) == (LOG.key,)
    with pytest.raises(NoteInvalid, match="trusted"):
        proved_by(sign_checkpoint(CHECKPOINT, [stranger]), [LOG.key])
    with pytest.raises(NoteInvalid, match="another log"):
        verified_checkpoint(NOTE, [LOG.key], "other.example/record")


def test_a_line_under_a_known_key_that_is_wrong_spoils_the_note() -> None:
    for text in (NOTE.text.replace("\n7\n", "\n8\n"), NOTE.text.replace("gateway", "gatewax")):
        with pytest.raises(NoteInvalid, match="wrong"):
            proved_by(Note(text, NOTE.signatures), [LOG.key])
    forged = SignatureLine(WITNESS.key.name, WITNESS.key.key_id, bytes(72))
    for line in (forged, SignatureLine(forged.name, forged.key_id, b"\1")):
        with pytest.raises(NoteInvalid):
            cosignatures_of(Note(NOTE.text, (line,)), [WITNESS.key])


def test_a_cosignature_is_over_its_own_time() -> None:
    line = cosign(NOTE.text, WITNESS, NOON)
    later = SignatureLine(line.name, line.key_id, (int(NOON.timestamp()) + 1).to_bytes(8) + line.signature[8:])
    with pytest.raises(NoteInvalid):
        cosignatures_of(NOTE.also_signed([later]), [WITNESS.key])
    far = 2**63 - 1
    signature = far.to_bytes(8) + RFC_8032.sign(cosigned_message(NOTE.text, far))
    with pytest.raises(NoteInvalid):
        cosignatures_of(NOTE.also_signed([SignatureLine(line.name, line.key_id, signature)]), [WITNESS.key])


def test_every_flipped_bit_of_a_note_is_noticed() -> None:
    whole = str(NOTE.also_signed([cosign(NOTE.text, WITNESS, NOON)])).encode()

    def proves(data: bytes) -> bool:
        try:
            note = parse_note(data)
            read = verified_checkpoint(note, [LOG.key], ORIGIN)
            return (read, len(cosignatures_of(note, [WITNESS.key]))) == (CHECKPOINT, 1)
        except NoteInvalid:
            return False

    assert proves(whole)
    for at in range(len(whole)):
        for bit in range(8):
            assert not proves(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]), (at, bit)
        assert not proves(whole[:at])


def test_sm2_signs_beside_ed25519() -> None:
    try:
        private = sm2.library().generate_private_key()
    except Exception:
        pytest.skip("no library here speaks SM2")
    key = VerifierKey(ORIGIN, SM2_TYPE, sm2.point_of(private.public_key.spki) or b"")
    signer = NoteSigner(key, lambda text: sm2.signature_to_raw(private.sign(text)))
    note = parse_note(str(sign_checkpoint(CHECKPOINT, [LOG, signer])).encode())
    assert proved_by(note, [LOG.key, parse_vkey(str(key))]) == (LOG.key, key)
    assert verified_checkpoint(note, [key]) == CHECKPOINT
    line = note.signatures[1]
    spoilt = SignatureLine(line.name, line.key_id, line.signature[:-1] + bytes([line.signature[-1] ^ 1]))
    with pytest.raises(NoteInvalid):
        proved_by(Note(note.text, (spoilt,)), [key])


LINE = "— name AAAAAAA=\n"
NO_NOTES: dict[str, bytes] = {
    "nothing": b"",
    "no signature": b"text\n",
    "no signature below the blank line": b"text\n\n",
    "no text": f"\n\n{LINE}".encode(),
    "no blank line": f"text\n{LINE}".encode(),
    "a line that does not end": f"text\n\n{LINE[:-1]}".encode(),
    "a carriage return": f"text\r\n\n{LINE}".encode(),
    "a tab": f"text\t\n\n{LINE}".encode(),
    "a NUL": f"text\0\n\n{LINE}".encode(),
    "no UTF-8": b"\xff\n\n" + LINE.encode(),
    "a hyphen for the dash": f"text\n\n{LINE.replace('—', '-')}".encode(),
    "two spaces": f"text\n\n{LINE.replace('name ', 'name  ')}".encode(),
    "a name with a plus": f"text\n\n{LINE.replace('name', 'na+me')}".encode(),
    "a name with a wide space": f"text\n\n{LINE.replace('name', 'na　me')}".encode(),
    "no name": b"text\n\n\xe2\x80\x94  AAAAAAA=\n",
    "a key ID alone": "text\n\n— name AAAAAA==\n".encode(),
    "base64 without its padding": "text\n\n— name AAAAAAA\n".encode(),
    "base64 with bits left over": "text\n\n— name AAAAAAB=\n".encode(),
    "base64 of URLs": "text\n\n— name AAAAAA-_\n".encode(),
    "another line behind": f"text\n\n{LINE}more\n".encode(),
    "too many signatures": f"text\n\n{LINE * 65}".encode(),
    "too large": b"x" * 70000 + f"\n\n{LINE}".encode(),
}


@pytest.mark.parametrize("case", NO_NOTES)
def test_what_is_no_note_is_refused(case: str) -> None:
    assert parse_note(f"text\n\n{LINE}".encode()).signatures[0].name == "name"
    with pytest.raises(NoteInvalid):
        parse_note(NO_NOTES[case])


def test_a_text_may_have_blank_lines_the_last_one_parts_it_from_the_signatures() -> None:
    assert parse_note(f"a\n\nb\n\n{LINE}".encode()).text == "a\n\nb\n"


ROOT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"\n7\n{ROOT}\n",
        f"o\n07\n{ROOT}\n",
        f"o\n-7\n{ROOT}\n",
        f"o\n+7\n{ROOT}\n",
        f"o\n７\n{ROOT}\n",
        f"o\n7\n{ROOT}",
        f"o\n7\n{ROOT}\nextension\n",
        f"o\n7\n{ROOT}\n\n",
        f"o o\n7\n{ROOT}\n",
        "o\n7\nAAEC\n",
        f"o\n7\n{ROOT[:-1]}\n",
        f"o\n7\n{ROOT[:-2]}9=\n",
        f"o\n9223372036854775808\n{ROOT}\n",
        f"o\n7\n {ROOT}\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    assert parse_checkpoint(f"o\n7\n{ROOT}\n").size == 7
    with pytest.raises(NoteInvalid):
        parse_checkpoint(text)


NO_KEYS: dict[str, Callable[[], object]] = {
    "nothing": lambda: parse_vkey(""),
    "another ID": lambda: parse_vkey(PUBLISHED_KEY.replace("c74f20a3", "c74f20a4")),
    "another name": lambda: parse_vkey(PUBLISHED_KEY.replace("Peter", "Paul")),
    "an ID in capitals": lambda: parse_vkey(PUBLISHED_KEY.replace("c74f20a3", "C74F20A3")),
    "a key that is cut": lambda: parse_vkey(PUBLISHED_KEY[:-4]),
    "a line break behind": lambda: parse_vkey(PUBLISHED_KEY + "\n"),
    "another type": lambda: VerifierKey("name", b"\x02", bytes(32)),
    "a key of another length": lambda: VerifierKey("name", ED25519_TYPE, bytes(31)),
    "a name with a space": lambda: VerifierKey("na me", ED25519_TYPE, bytes(32)),
    "no lines": lambda: parse_signature_lines(""),
}


@pytest.mark.parametrize("case", NO_KEYS)
def test_what_is_no_key_is_refused(case: str) -> None:
    with pytest.raises(NoteInvalid):
        NO_KEYS[case]()


def test_seconds_are_told_in_utc() -> None:
    (told,) = cosignatures_of(
        NOTE.also_signed([cosign(NOTE.text, WITNESS, datetime(2023, 3, 20, 12, 25, 47, tzinfo=UTC))]), [WITNESS.key]
    )
    assert told.line.signature[:8].hex() == "00000000641850cb"
