"""DER: framing and values, as ``gateway.crypto.der`` reads them."""

from typing import Any

GOOD, BAD = True, False
TABLE: tuple[tuple[str, str, str, bool, str], ...] = (
    ("integer", "integer", "02020080", GOOD, "Nothing is wrong with it: 128 with its leading zero octet."),
    ("integer-negative", "integer", "020180", GOOD, "Nothing is wrong with it: −128 in one octet."),
    ("integer-padded", "integer", "0203000080", BAD, "A zero octet too many."),
    ("integer-padded-negative", "integer", "0202ff80", BAD, "An FF octet too many."),
    ("integer-empty", "integer", "0200", BAD, "An integer without content."),
    ("oid", "oid", "06082a811ccf55018375", GOOD, "Nothing is wrong with it: 1.2.156.10197.1.501, SM2 with SM3."),
    ("oid-padded", "oid", "06092a80811ccf55018375", BAD, "An arc begins with 80."),
    ("oid-cut", "oid", "06022a81", BAD, "The last arc does not end."),
    ("oid-empty", "oid", "0600", BAD, "An identifier without content."),
    ("bits", "bits", "0302 00ff", GOOD, "Nothing is wrong with it: One whole octet."),
    ("bits-unused", "bits", "030203f8", BAD, "A key or signature with three unused bits."),
    ("bits-empty", "bits", "0300", BAD, "A bit string without its first octet."),
    ("utc-time", "time", "170d3236313132333034303030305a", GOOD, "Nothing is wrong with it: 2026-11-23T04:00:00Z."),
    ("generalized-time", "time", "180f32303236313132333034303030305a", GOOD, "Nothing is wrong with it: 2026-11-23T04:00:00Z."),
    ("time-without-zone", "time", "180e3230323631313233303430303030", BAD, "A time that names no zone."),
    ("time-of-no-day", "time", "180f32303236303233303034303030305a", BAD, "The thirtieth of February."),
    ("time-without-seconds", "time", "170b323631313233303430305a", BAD, "A time without seconds."),
    ("sequence", "children", "3006020101020102", GOOD, "Nothing is wrong with it: Two integers."),
    ("sequence-overrun", "children", "3003020201", BAD, "The inner length reaches beyond the outer one."),
    ("length-padded", "children", "30820080" + "0500" * 64, BAD, "A length of 128 with a leading zero octet."),
    ("trailing", "children", "3003020101ff", BAD, "A byte follows."),
    ("cut", "children", "30820100", BAD, "The content is missing."),
    ("indefinite", "children", "30800201010000", BAD, "Indefinite length: BER."),
    ("long-form", "children", "308103020101", BAD, "A length below 128 in long form."),
    ("long-form-padded", "children", "3082000302 0101", BAD, "A length with a leading zero octet."),
    ("huge-length", "children", "3084ffffffff", BAD, "Four gigabytes are announced."),
    ("longer-than-four", "children", "308500000000010500", BAD, "A length in five octets."),
    ("tag-of-several-octets", "children", "3f8101020101", BAD, "A tag of several octets."),
    ("empty", "children", "", BAD, "There is nothing."),
    ("too-many", "children", "30822002" + "0500" * 4097, BAD, "More elements than are read."),
)  # fmt: skip


def cases() -> list[dict[str, Any]]:
    return [
        {"name": name, "read": read, "data": bytes.fromhex(text).hex(), "good": good, "why": why}
        for name, read, text, good, why in TABLE
    ]
