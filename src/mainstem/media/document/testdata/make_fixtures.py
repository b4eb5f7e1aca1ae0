#!/usr/bin/env python3
"""Writes the small PDFs of the tests, byte by byte from the standard (ISO 32000-1). Run in this folder."""
import hashlib
import struct


def stream(content, extra=b""):
    return b"<< /Length %d %s>>\nstream\n%s\nendstream" % (len(content), extra, content)


def write(name, objects, trailer=b"", root=1):
    out = b"%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root %d 0 R %s>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, root, trailer, start)
    with open(name, "wb") as file:
        file.write(out)


FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"


def page(contents, box=b"[0 0 612 792]", extra=b""):
    return (b"<< /Type /Page /Parent 2 0 R /MediaBox %s %s/Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>"
            % (box, extra, contents))


def text_pdf():
    """Three pages: lines of text, a word broken between two; a picture of three rectangles; a turned page with accents."""
    one = (b"BT /F1 24 Tf 72 700 Td (Hello Mainstem) Tj 0 -40 Td (Second line) Tj 0 -40 Td (An exam-) Tj "
           b"0 -28 Td (ple at well-known) Tj ET")
    # A page of 144 x 72 points: left half red, the rest green, and a blue square at the lower right.
    two = b"1 0 0 rg 0 0 72 72 re f 0 1 0 rg 72 0 72 72 re f 0 0 1 rg 108 0 36 36 re f"
    three = b"BT /F1 18 Tf 20 100 Td (caf\xe9 \\(\xa9\\)) Tj ET"
    write("text.pdf", [
        CATALOG, b"<< /Type /Pages /Count 3 /Kids [4 0 R 5 0 R 6 0 R] >>", FONT,
        page(7), page(8, b"[0 0 144 72]"), page(9, b"[0 0 200 300]", b"/Rotate 90 "),
        stream(one), stream(two), stream(three)])


def unicode_pdf():
    """Characters that map to a lone surrogate, to U+0000, to a character beyond the first plane and to a letter."""
    cmap = (b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def "
            b"1 begincodespacerange <00> <FF> endcodespacerange 4 beginbfchar <41> <D83DDE00> <42> <D800> "
            b"<43> <0000> <44> <4E2D> endbfchar endcmap end end")
    font = FONT[:-2] + b"/ToUnicode 6 0 R >>"
    write("unicode.pdf", [CATALOG, b"<< /Type /Pages /Count 1 /Kids [4 0 R] >>", font, page(5),
                          stream(b"BT /F1 24 Tf 72 700 Td (xABCDy) Tj ET"), stream(cmap)])


def odd_page_trees():
    write("loop.pdf", [CATALOG, b"<< /Type /Pages /Count 2 /Kids [4 0 R] >>", FONT,
                       b"<< /Type /Pages /Parent 2 0 R /Count 2 /Kids [2 0 R 4 0 R] >>"])
    write("no_pages.pdf", [CATALOG, b"<< /Type /Pages /Count 0 /Kids [] >>", FONT])
    # Claims 3 pages and has one.
    write("count_lies.pdf", [CATALOG, b"<< /Type /Pages /Count 3 /Kids [4 0 R] >>", FONT, page(5),
                             stream(b"BT /F1 24 Tf 72 700 Td (only) Tj ET")])
    write("huge_page.pdf", [CATALOG, b"<< /Type /Pages /Count 1 /Kids [4 0 R] >>", FONT,
                            page(5, b"[0 0 1000000 1000000]"), stream(b"BT /F1 24 Tf 72 700 Td (big) Tj ET")])


PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def rc4(key, data):
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def encrypted_pdf(password=b"secret"):
    """40-bit RC4, revision 2 (ISO 32000-1, 7.6.3, algorithms 1 to 4)."""
    file_id, permissions = b"0123456789abcdef", -4
    padded = (password + PADDING)[:32]
    owner = rc4(hashlib.md5(padded).digest()[:5], padded)
    key = hashlib.md5(padded + owner + struct.pack("<i", permissions) + file_id).digest()[:5]
    user = rc4(key, PADDING)
    number = 5
    object_key = hashlib.md5(key + struct.pack("<I", number)[:3] + b"\0\0").digest()[:10]
    content = rc4(object_key, b"BT /F1 24 Tf 72 700 Td (Hidden words) Tj ET")
    encrypt = b"<< /Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P %d >>" % (
        owner.hex().encode(), user.hex().encode(), permissions)
    write("encrypted.pdf", [CATALOG, b"<< /Type /Pages /Count 1 /Kids [4 0 R] >>", FONT, page(number),
                            stream(content), encrypt],
          b"/Encrypt 6 0 R /ID [<%s> <%s>] " % (file_id.hex().encode(), file_id.hex().encode()))


text_pdf()
unicode_pdf()
odd_page_trees()
encrypted_pdf()
