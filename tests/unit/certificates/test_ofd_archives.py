"""Archives made to be read in two ways, or to cost more than they weigh: refused by name, within stated bounds."""

import hashlib
import io
import struct
import time
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.certificates.envelopes.ofd import Limits, verify_ofd
from gateway.certificates.envelopes.ofd.archive import DamagedEntry, open_archive
from gateway.certificates.errors import OfdRefused
from gateway.certificates.verdicts import Verdict
from gateway.errors import GatewayError
from tests.support import ofd_writer as writer
from tests.support.ofd_writer import NOW, PAGE, Pki
from tests.support.zip_writer import STORED, Entry, Zip, descriptor, written

ROOT = b"OFD.xml"
KIB, MIB = 1 << 10, 1 << 20
DENSE = hashlib.shake_128(b"").digest(200_000)


def zip64(*values: int) -> bytes:
    return struct.pack("<2H", 1, 8 * len(values)) + struct.pack(f"<{len(values)}Q", *values)


def unicode_path(name: str, of: bytes) -> bytes:
    content = b"\x01" + struct.pack("<L", zlib.crc32(of)) + name.encode()
    return struct.pack("<2H", 0x7075, len(content)) + content


def overlapping() -> bytes:
    """The second file begins inside the first one's data (a zip quine's trick)."""
    inner, _ = written(Entry(b"b.xml", b"y" * 50, STORED), 0)
    outer = Entry(b"a.xml", inner, STORED)
    return Zip([outer, Entry(b"b.xml", b"y" * 50, STORED, offset=30 + len(b"a.xml"))]).build()


def nested(levels: int) -> bytes:
    data = b"\0" * 10_000
    for _ in range(levels):
        data = Zip([Entry(b"inner.ofd", data)]).build()
    return data


HOSTILE = {
    "nothing": (b"", "ofd.archive"),
    "no ZIP": (b"%PDF-1.7", "ofd.archive"),
    "only its first bytes": (b"PK\x03\x04" + bytes(60), "ofd.archive"),
    "only an end record's beginning": (b"PK\x05\x06\x00", "ofd.archive"),
    "bytes in front": (Zip([Entry(ROOT)], before=b"#!/bin/sh\n").build(), "ofd.archive.framing"),
    "bytes in front that begin like an archive": (Zip([Entry(ROOT)], before=b"PK00").build(), "ofd.archive.framing"),
    "bytes between files": (Zip([Entry(ROOT), Entry(b"a")], between=b"hidden").build(), "ofd.archive.framing"),
    "a file that the directory does not name": (
        Zip([Entry(ROOT)], between=written(Entry(b"OFD.xml", b"<other/>"), 0)[0]).build(),
        "ofd.archive.framing",
    ),
    "bytes behind": (Zip([Entry(ROOT)], after=b"\0").build(), "ofd.archive.framing"),
    "two end records": (Zip([Entry(ROOT)]).build() + Zip([]).build(), "ofd.archive.framing"),
    "an end record in the comment": (
        Zip([Entry(ROOT)], comment=struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0)).build(),
        "ofd.archive.framing",
    ),
    "a directory elsewhere": (Zip([Entry(ROOT)], offset=0).build(), "ofd.archive.framing"),
    "a directory that is cut": (Zip([Entry(ROOT)], count=2).build(), "ofd.archive.framing"),
    "a directory with more than it counts": (Zip([Entry(ROOT), Entry(b"a")], count=1).build(), "ofd.archive.framing"),
    "several disks": (Zip([Entry(ROOT)], disk=1).build(), "ofd.archive.framing"),
    "an entry on another disk": (Zip([Entry(ROOT, disk=1)]).build(), "ofd.archive.framing"),
    "another name before the file": (Zip([Entry(ROOT, local_name=b"ofd.xml")]).build(), "ofd.archive.framing"),
    "another size before the file": (Zip([Entry(ROOT, b"x", local_size=2)]).build(), "ofd.archive.framing"),
    "another checksum before the file": (Zip([Entry(ROOT, b"x", local_checksum=2)]).build(), "ofd.archive.framing"),
    "another method before the file": (Zip([Entry(ROOT, b"x", local_method=STORED)]).build(), "ofd.archive.framing"),
    "UTF-8 here and not there": (
        Zip([Entry("文".encode(), flags=0x800, local_flags=0)]).build(),
        "ofd.archive.framing",
    ),
    "a descriptor that differs": (
        Zip([Entry(ROOT, b"x", descriptor=descriptor(b"x", spoil=True))]).build(),
        "ofd.archive.framing",
    ),
    "a descriptor that is missing": (Zip([Entry(ROOT, b"x", descriptor=b"")]).build(), "ofd.archive.framing"),
    "stored, of two sizes": (Zip([Entry(ROOT, b"abc", STORED, size=2)]).build(), "ofd.archive.framing"),
    "data past the end": (
        Zip([Entry(ROOT, b"abc", STORED, size=1 << 20, packed_size=1 << 20)]).build(),
        "ofd.archive.framing",
    ),
    "two names for one file's bytes": (
        Zip([Entry(b"a.xml", b"x" * 9, STORED), Entry(b"b.xml", b"x" * 9, STORED, offset=0)]).build(),
        "ofd.archive.overlap",
    ),
    "a file inside a file": (overlapping(), "ofd.archive.overlap"),
    "encrypted": (Zip([Entry(ROOT, flags=1)]).build(), "ofd.archive.method"),
    "strongly encrypted": (Zip([Entry(ROOT, flags=0x40)]).build(), "ofd.archive.method"),
    "a masked directory": (Zip([Entry(ROOT, flags=0x2000)]).build(), "ofd.archive.method"),
    "patch data": (Zip([Entry(ROOT, flags=0x20)]).build(), "ofd.archive.method"),
    "another compression": (Zip([Entry(ROOT, b"x", 14)]).build(), "ofd.archive.method"),
    "ZIP64 sizes": (Zip([Entry(ROOT, b"x", extra=zip64(2, 2))]).build(), "ofd.archive.method"),
    "ZIP64 sizes before the file": (Zip([Entry(ROOT, b"x", local_extra=zip64(0, 0))]).build(), "ofd.archive.method"),
    "ZIP64 sizes that are cut": (
        Zip([Entry(ROOT, b"x", extra=struct.pack("<2H4s", 1, 4, b"\x01\0\0\0"))]).build(),
        "ofd.archive.method",
    ),
    "a full-width space at the end": (Zip([Entry("OFD.xml　".encode(), flags=0x800)]).build(), "ofd.archive.traversal"),
    "a ZIP64 end record": (
        Zip([Entry(ROOT)], locator=struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)).build(),
        "ofd.archive.method",
    ),
    "another name in Unicode": (
        Zip([Entry(b"a.xml", extra=unicode_path("OFD.xml", b"a.xml"))]).build(),
        "ofd.archive.duplicate",
    ),
    "twice": (Zip([Entry(ROOT, b"1"), Entry(ROOT, b"2")]).build(), "ofd.archive.duplicate"),
    "twice but for case": (Zip([Entry(ROOT), Entry(b"ofd.XML")]).build(), "ofd.archive.duplicate"),
    "twice but for width": (
        Zip([Entry(ROOT), Entry("ＯＦＤ.xml".encode(), flags=0x800)]).build(),
        "ofd.archive.duplicate",
    ),
    "twice but for composition": (
        Zip([Entry("é".encode(), flags=0x800), Entry("e\u0301".encode(), flags=0x800)]).build(),
        "ofd.archive.duplicate",
    ),
    "twice but for slashes": (Zip([Entry(b"Doc_0/a"), Entry(b"Doc_0\\a")]).build(), "ofd.archive.duplicate"),
    "a file and a folder of one name": (Zip([Entry(b"Doc_0"), Entry(b"Doc_0/a")]).build(), "ofd.archive.duplicate"),
    "a folder and a file of one name": (Zip([Entry(b"doc_0/"), Entry(b"Doc_0")]).build(), "ofd.archive.duplicate"),
    "out of the archive": (Zip([Entry(b"../OFD.xml")]).build(), "ofd.archive.traversal"),
    "out of the archive, backwards": (Zip([Entry(b"a\\..\\..\\x")]).build(), "ofd.archive.traversal"),
    "from the root": (Zip([Entry(b"/etc/passwd")]).build(), "ofd.archive.traversal"),
    "from a share": (Zip([Entry(b"\\\\host\\share\\x")]).build(), "ofd.archive.traversal"),
    "from a drive": (Zip([Entry(b"C:\\x")]).build(), "ofd.archive.traversal"),
    "an alternate stream": (Zip([Entry(b"OFD.xml::$DATA")]).build(), "ofd.archive.traversal"),
    "a dot at the end": (Zip([Entry(b"OFD.xml.")]).build(), "ofd.archive.traversal"),
    "a space at the end": (Zip([Entry(b"OFD.xml ")]).build(), "ofd.archive.traversal"),
    "a NUL in the name": (Zip([Entry(b"OFD.xml\0.png")]).build(), "ofd.archive.traversal"),
    "turned round letters": (Zip([Entry("a\u202elmx.DFO".encode(), flags=0x800)]).build(), "ofd.archive.traversal"),
    "no name": (Zip([Entry(b"")]).build(), "ofd.archive.traversal"),
    "a name that is no UTF-8": (Zip([Entry(b"\xff\xfe", flags=0x800)]).build(), "ofd.archive.traversal"),
    "a name without end": (Zip([Entry(b"a" * 600)]).build(), "ofd.archive.traversal"),
    "folders without end": (Zip([Entry(b"a/" * 200 + b"x")]).build(), "ofd.archive.traversal"),
    "a link": (Zip([Entry(ROOT, b"/etc/passwd", mode=0o120777)]).build(), "ofd.archive.link"),
    "a device": (Zip([Entry(ROOT, mode=0o060644)]).build(), "ofd.archive.link"),
    "a file said to be a folder": (Zip([Entry(ROOT, b"x", mode=0o040755)]).build(), "ofd.archive.link"),
    "a folder with content": (Zip([Entry(b"Doc_0/", b"x")]).build(), "ofd.archive.size"),
    "too many files": (Zip([Entry(b"%d" % number) for number in range(5000)]).build(), "ofd.archive.entries"),
    "a bomb": (Zip([Entry(ROOT, bytes(8 * MIB))]).build(), "ofd.archive.ratio"),
    "a bomb in small pieces": (
        Zip([Entry(b"%d" % number, bytes(MIB)) for number in range(40)]).build(),
        "ofd.archive.ratio",
    ),
    "a file too large": (Zip([Entry(ROOT, b"x", size=33 * MIB, local_size=33 * MIB)]).build(), "ofd.archive.size"),
    "files too large together": (
        Zip([Entry(b"%d" % n, DENSE, size=20 * MIB, local_size=20 * MIB) for n in range(8)]).build(),
        "ofd.archive.size",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused_by_name(name: str) -> None:
    data, check = HOSTILE[name]
    tracemalloc.start()
    try:
        begun = time.perf_counter()
        with pytest.raises(OfdRefused) as refusal:
            verify_ofd(data, [], NOW)
        took, (_, peak) = time.perf_counter() - begun, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refusal.value.check == check
    assert took < 2
    assert peak < 2 * len(data) + 4 * MIB


HONEST = {
    "as zipfile writes it": Zip([Entry(ROOT, b"<OFD/>"), Entry(b"Doc_0/a.xml", b"abc" * 1000)]),
    "stored": Zip([Entry(ROOT, b"<OFD/>", STORED)]),
    "streamed": Zip([Entry(ROOT, b"<OFD/>", descriptor=descriptor(b"<OFD/>")), Entry(b"a")]),
    "streamed without mark": Zip([Entry(ROOT, b"<OFD/>", descriptor=descriptor(b"<OFD/>", signed=False))]),
    "with a comment": Zip([Entry(ROOT, b"<OFD/>", comment=b"note")], comment=b"made by somebody"),
    "with times and owners": Zip(
        [Entry(ROOT, b"<OFD/>", extra=struct.pack("<2H4s", 0x5455, 4, b"abcd"), mode=0o100644)]
    ),
    "with the same name in Unicode": Zip([Entry(ROOT, b"<OFD/>", extra=unicode_path("OFD.xml", ROOT))]),
    "with ZIP64 sizes that repeat the others": Zip(
        [Entry(ROOT, b"<OFD/>", extra=zip64(6), local_extra=zip64(6, len(Entry(ROOT, b"<OFD/>").bytes_packed())))]
    ),
    "streamed, with room for ZIP64 sizes": Zip(
        [Entry(ROOT, b"<OFD/>", descriptor=descriptor(b"<OFD/>"), local_extra=zip64(0, 0))]
    ),
    "with full-width spaces": Zip([Entry("附件　一".encode(), flags=0x800), Entry(ROOT, b"<OFD/>")]),
    "with folders": Zip([Entry(b"Doc_0/", mode=0o040755), Entry(b"Doc_0/a.xml"), Entry(ROOT, b"<OFD/>")]),
    "with windows' slashes": Zip([Entry(b"Doc_0\\a.xml"), Entry(ROOT, b"<OFD/>")]),
    "with hints on how it was packed": Zip([Entry(ROOT, b"<OFD/>", flags=2, local_flags=6)]),
}


@pytest.mark.parametrize("name", HONEST)
def test_archives_as_honest_writers_leave_them_are_opened(name: str) -> None:
    assert open_archive(HONEST[name].build()).read("OFD.xml") == b"<OFD/>"


def test_what_is_inside_is_never_unpacked_further() -> None:
    """An archive in an archive in an archive is a file like any other."""
    data = nested(8)
    report = verify_ofd(Zip([Entry(ROOT, b"<OFD/>"), Entry(b"a.zip", data)]).build(), [], NOW)
    assert (report.verdict, report.reason) == (Verdict.INVALID, "not signed")
    assert report.uncovered == ("OFD.xml", "a.zip")


@pytest.mark.parametrize(
    "entry",
    [
        Entry(ROOT, b"abc", checksum=1, local_checksum=1),
        Entry(ROOT, b"abc", size=4, local_size=4),
        Entry(ROOT, b"abc", size=2, local_size=2),
        Entry(ROOT, b"abc", packed=b"\xff\xff\xff"),
        Entry(ROOT, b"abc", packed=Entry(b"", b"abc").bytes_packed()[:-1]),
        Entry(ROOT, b"abc", packed=Entry(b"", b"abc").bytes_packed() + b"more"),
        Entry(ROOT, b"", packed=b""),
        Entry(ROOT, b"x" * 70_000, packed=Entry(b"", b"x" * 70_000).bytes_packed()[:20]),
    ],
)
def test_a_stream_that_is_not_what_the_header_says_is_damaged(entry: Entry) -> None:
    """Wrong checksum, more or fewer bytes than declared, no deflate stream, one that is cut or followed by more."""
    archive = open_archive(Zip([entry]).build())
    with pytest.raises(DamagedEntry):
        archive.read("OFD.xml")


def test_a_stream_that_lies_about_its_size_costs_no_more_than_it_said() -> None:
    """Ten megabytes are packed as if they were ten bytes."""
    bomb = Entry(ROOT, bytes(10 * MIB))
    data = Zip([Entry(ROOT, b"x" * 10, packed=bomb.bytes_packed(), checksum=zlib.crc32(bomb.data))]).build()
    tracemalloc.start()
    try:
        with pytest.raises(DamagedEntry):
            open_archive(data).read("OFD.xml")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 512 * KIB


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 131_072, 300_001])
@pytest.mark.parametrize("content", ["zeros", "mixed"])
def test_large_files_come_out_as_they_went_in(size: int, content: str) -> None:
    data = bytes(size) if content == "zeros" else bytes(number * 7919 % 251 for number in range(size))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("OFD.xml", data)
    assert open_archive(buffer.getvalue(), Limits(ratio=2000)).read("OFD.xml") == data


FUZZ = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.sampled_from(
    [ROOT, b"ofd.xml", b"Doc_0/a", b"Doc_0", b"a/../b", b"\\x", "营业执照".encode("gb18030"), b"a" * 9]
)
ENTRIES = st.builds(
    Entry,
    name=NAMES,
    data=st.binary(max_size=64),
    method=st.sampled_from([0, 8, 8, 8, 9, 14]),
    flags=st.sampled_from([0, 0, 0, 8, 0x800, 1]),
    packed=st.none() | st.binary(max_size=64),
    size=st.none() | st.sampled_from([0, 1, 1 << 31, 0xFFFFFFFF]),
    packed_size=st.none() | st.sampled_from([0, 1, 1 << 31, 0xFFFFFFFF]),
    local_name=st.none() | NAMES,
    extra=st.sampled_from([b"", b"", zip64(1), b"\x01", unicode_path("OFD.xml", b"")]),
    descriptor=st.none() | st.binary(max_size=20),
    offset=st.none() | st.integers(0, 200),
)


@FUZZ
@given(
    entries=st.lists(ENTRIES, max_size=4),
    count=st.none() | st.integers(0, 5),
    offset=st.none() | st.integers(0, 300),
    size=st.none() | st.integers(0, 300),
)
def test_no_archive_meets_anything_but_our_own_refusals(
    entries: list[Entry], count: int | None, offset: int | None, size: int | None
) -> None:
    """Whatever fields say, the answer is a refusal or a report, and what is opened python's reader sees alike."""
    data = Zip(entries, count=count, offset=offset, size=size).build()
    try:
        archive = open_archive(data)
    except OfdRefused:
        return
    assert verify_ofd(data, [], NOW).verdict is not Verdict.VALID
    with zipfile.ZipFile(io.BytesIO(data)) as reference:
        assert len([info for info in reference.infolist() if not info.is_dir()]) == len(archive.paths)


def test_every_truncation_is_refused() -> None:
    data = writer.build(Pki())
    for length in range(0, len(data), 3):
        with pytest.raises(GatewayError):
            verify_ofd(data[:length], [], NOW)


def test_python_reads_what_is_accepted_in_the_same_way() -> None:
    files = writer.build_files(Pki())
    data = Zip([Entry(path.encode(), content) for path, content in files.items()]).build()
    archive = open_archive(data)
    assert {path: archive.read(path) for path in archive.paths} == writer.unpack(data) == files
    assert PAGE in archive


def test_an_archive_that_counts_its_files_twice_must_count_them_alike() -> None:
    """Readers believe either count: of two files one would show only the first."""
    data = writer.pack({"OFD.xml": b"<OFD/>", "Page.xml": b"<Page/>"})
    assert len(open_archive(data).paths) == 2
    changed = data[:-14] + (1).to_bytes(2, "little") + data[-12:]
    with pytest.raises(OfdRefused) as refused:
        open_archive(changed)
    assert refused.value.check == "ofd.archive.framing"
