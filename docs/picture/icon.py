#!/usr/bin/env python3
"""Draws the server's icon, a key on a rounded square, and writes it as a PNG.

    docs/picture/icon.py            writes src/server/icon.png
    docs/picture/icon.py --check    ends with 1 where that file shows something else

It takes nothing but Python 3. What is compared are the picture's points, not the file's bytes: two
releases of zlib pack the same picture differently.
"""

import math
import struct
import sys
import zlib
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "src/server/icon.png"
SIZE = 64
# Points of a picture point along each side, for smooth edges.
FINE = 4
GROUND = (15, 118, 110)
KEY = (255, 255, 255)


def in_square(x, y, edge=2, corner=14):
    """Whether a point is on the square with round corners."""
    low, high = edge + corner, SIZE - edge - corner
    return math.hypot(x - min(max(x, low), high), y - min(max(y, low), high)) <= corner


def in_key(x, y):
    """Whether a point is on the key: a ring, a shaft and two teeth, turned by 45 degrees."""
    along = (x - y) / math.sqrt(2)
    across = (x + y - SIZE) / math.sqrt(2)
    ring = 6 <= math.hypot(along + 14, across) <= 12
    shaft = -3 <= across <= 3 and -4 <= along <= 24
    tooth = 0 <= across <= 10 and (11 <= along <= 15.5 or 19.5 <= along <= 24)
    return ring or shaft or tooth


def point(column, row):
    """Red, green, blue and how much of it covers what is behind."""
    inside = keyed = 0
    for down in range(FINE):
        for right in range(FINE):
            x, y = column + (right + 0.5) / FINE, row + (down + 0.5) / FINE
            if in_square(x, y):
                inside += 1
                keyed += in_key(x, y)
    part = keyed / inside if inside else 0
    colour = [round(ground + (key - ground) * part) for ground, key in zip(GROUND, KEY)]
    return bytes([*colour, round(255 * inside / FINE**2)])


def drawn():
    """The picture's lines, each behind the byte that says it is not filtered."""
    rows = (b"".join(point(column, row) for column in range(SIZE)) for row in range(SIZE))
    return b"".join(b"\0" + row for row in rows)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(lines):
    head = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
    packed = zlib.compress(lines, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def shown(data):
    """The lines of a PNG that `png` wrote."""
    at, packed = 8, b""
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += 12 + length
    return zlib.decompress(packed)


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if shown(FILE.read_bytes()) != drawn():
            sys.exit(f"{FILE} is not what {Path(__file__).name} draws")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        FILE.write_bytes(png(drawn()))
