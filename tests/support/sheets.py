"""Spreadsheets that nobody should send: built by hand, since a library would refuse to write some of them."""

import io
import zipfile

SHEET_PART = "xl/worksheets/sheet1.xml"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def sheet_xml(rows: str) -> bytes:
    sheet = f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    return b'<?xml version="1.0" encoding="UTF-8"?>' + sheet.encode()


def replaced(xlsx: bytes, parts: dict[str, bytes]) -> bytes:
    """The spreadsheet with parts replaced or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, parts.get(name, source.read(name)))
        for name in parts.keys() - set(source.namelist()):
            target.writestr(name, parts[name])
    return out.getvalue()


def changed(xlsx: bytes, old: bytes, new: bytes) -> bytes:
    """The spreadsheet with a piece of its sheet changed."""
    with zipfile.ZipFile(io.BytesIO(xlsx)) as source:
        sheet = source.read(SHEET_PART)
    assert old in sheet
    return replaced(xlsx, {SHEET_PART: sheet.replace(old, new, 1)})


def lying(xlsx: bytes, content: bytes, size: int) -> bytes:
    """A spreadsheet with a sheet of `content` whose directory says that it unpacks to `size` bytes."""
    bomb = bytearray(replaced(xlsx, {SHEET_PART: content}))
    true = len(content).to_bytes(4, "little")
    position = bomb.find(true)
    assert position >= 0
    while position >= 0:
        bomb[position : position + 4] = size.to_bytes(4, "little")
        position = bomb.find(true, position + 4)
    return bytes(bomb)
