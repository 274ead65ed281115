"""The content of an e-licence as OFD files: metadata for machines, one page for people (GB/T 33190)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape, quoteattr

NAMESPACE = 'xmlns:ofd="http://www.ofdspec.org/2016"'
HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
PAGE_WIDTH, PAGE_HEIGHT = 210, 297
SEAL_BOX = (138, 218, 40, 40)
"""Where the seal stands on the page: x, y, width, height in millimetres."""
SIGNATURES = "Doc_0/Signs/Signatures.xml"
_TITLE_FONT, _TEXT_FONT = 3, 4
_LEFT, _LABELS, _TOP, _LINE, _RIGHT = 24, 42, 62, 9, 186


@dataclass(frozen=True)
class Licence:
    """What is written: ``metadata`` by wire name, and which of it a person reads under which label."""

    title: str
    authority: str
    issued_on: date
    metadata: Mapping[str, str]
    shown: tuple[tuple[str, str], ...]


def content_files(licence: Licence) -> dict[str, bytes]:
    """Every file that a seal covers, by path; the seal's own files aside."""
    return {
        "OFD.xml": _root(licence),
        "Doc_0/Document.xml": _document(),
        "Doc_0/PublicRes.xml": _fonts(),
        "Doc_0/Pages/Page_0/Content.xml": _page(licence),
    }


def _root(licence: Licence) -> bytes:
    custom = "".join(
        f"<ofd:CustomData Name={quoteattr(name)}>{escape(value)}</ofd:CustomData>"
        for name, value in licence.metadata.items()
    )
    return _xml(
        f'<ofd:OFD {NAMESPACE} Version="1.1" DocType="OFD"><ofd:DocBody><ofd:DocInfo>'
        f"<ofd:DocID>{hashlib.sha256(licence.metadata['ZZBS'].encode()).hexdigest()[:32]}</ofd:DocID>"
        f"<ofd:Title>{escape(licence.title)}</ofd:Title>"
        f"<ofd:Author>{escape(licence.authority)}</ofd:Author>"
        f"<ofd:CreationDate>{licence.issued_on.isoformat()}</ofd:CreationDate>"
        f"<ofd:CustomDatas>{custom}</ofd:CustomDatas></ofd:DocInfo>"
        f"<ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot><ofd:Signatures>/{SIGNATURES}</ofd:Signatures></ofd:DocBody></ofd:OFD>"
    )


def _document() -> bytes:
    return _xml(
        f"<ofd:Document {NAMESPACE}><ofd:CommonData><ofd:MaxUnitID>999</ofd:MaxUnitID><ofd:PageArea>"
        f"<ofd:PhysicalBox>0 0 {PAGE_WIDTH} {PAGE_HEIGHT}</ofd:PhysicalBox></ofd:PageArea>"
        "<ofd:PublicRes>PublicRes.xml</ofd:PublicRes></ofd:CommonData>"
        '<ofd:Pages><ofd:Page ID="1" BaseLoc="Pages/Page_0/Content.xml"/></ofd:Pages></ofd:Document>'
    )


def _fonts() -> bytes:
    return _xml(
        f'<ofd:Res {NAMESPACE} BaseLoc="Res"><ofd:Fonts>'
        f'<ofd:Font ID="{_TITLE_FONT}" FontName="黑体" FamilyName="黑体"/>'
        f'<ofd:Font ID="{_TEXT_FONT}" FontName="宋体" FamilyName="宋体"/></ofd:Fonts></ofd:Res>'
    )


def _page(licence: Licence) -> bytes:
    objects = [_frame(10)]
    width = 9.0 * len(licence.title)
    objects.append(_text(11, (PAGE_WIDTH - width) / 2, 34, licence.title, 9, _TITLE_FONT))
    down, number = _TOP, 20
    for label, value in licence.shown:
        objects.append(_text(number, _LEFT, down, label, 4.2, _TITLE_FONT))
        for line in _lines(value, 4.2, _RIGHT - _LEFT - _LABELS):
            number += 1
            objects.append(_text(number, _LEFT + _LABELS, down, line, 4.2, _TEXT_FONT))
            down += _LINE
        number += 1
    below = SEAL_BOX[1] + 18
    objects.append(_text(900, SEAL_BOX[0] - 14, below, licence.authority, 4.6, _TEXT_FONT))
    on = licence.issued_on
    objects.append(_text(901, SEAL_BOX[0] - 2, below + _LINE, f"{on.year}年{on.month}月{on.day}日", 4.6, _TEXT_FONT))
    return _xml(
        f'<ofd:Page {NAMESPACE}><ofd:Content><ofd:Layer Type="Body" ID="2">{"".join(objects)}</ofd:Layer>'
        "</ofd:Content></ofd:Page>"
    )


def _frame(number: int) -> str:
    width, height = PAGE_WIDTH - 24, PAGE_HEIGHT - 24
    return (
        f'<ofd:PathObject ID="{number}" Boundary="12 12 {width} {height}" LineWidth="0.8" Stroke="true">'
        '<ofd:StrokeColor Value="158 27 30"/>'
        f"<ofd:AbbreviatedData>M 1 1 L {width - 1} 1 L {width - 1} {height - 1} L 1 {height - 1} C"
        "</ofd:AbbreviatedData></ofd:PathObject>"
    )


def _text(number: int, x: float, y: float, text: str, size: float, font: int) -> str:
    widths = [_width(letter, size) for letter in text]
    delta = " ".join(f"{width:g}" for width in widths[:-1])
    spacing = f' DeltaX="{delta}"' if delta else ""
    return (
        f'<ofd:TextObject ID="{number}" Boundary="{x:g} {y:g} {sum(widths) + 1:g} {size * 1.4:g}" '
        f'Font="{font}" Size="{size:g}">'
        f'<ofd:TextCode X="0" Y="{size * 1.05:g}"{spacing}>{escape(text)}</ofd:TextCode></ofd:TextObject>'
    )


def _width(letter: str, size: float) -> float:
    return round(size if ord(letter) > 0xFF else size * 0.55, 3)


def _lines(text: str, size: float, room: float) -> list[str]:
    """``text`` broken where it would leave the frame."""
    lines, line, used = [], "", 0.0
    for letter in text:
        width = _width(letter, size)
        if used + width > room:
            lines.append(line)
            line, used = "", 0.0
        line, used = line + letter, used + width
    return [*lines, line]


def _xml(body: str) -> bytes:
    return (HEAD + body).encode()
