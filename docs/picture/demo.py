#!/usr/bin/env python3
"""Draws the picture of README.md from what `grantor demo` prints.

    docs/picture/demo.py GRANTOR            writes docs/picture/demo.svg
    docs/picture/demo.py --check GRANTOR    ends with 1 where the picture shows something else

GRANTOR is the program. It takes nothing but Python 3. What differs from one run or machine to the
next, receipts and the user's name, is put in a fixed form. Colours follow the reader's light or dark
setting, and the text is text.
"""

import os
import re
import subprocess
import sys
from html import escape
from pathlib import Path

FILE = Path(__file__).resolve().parent / "demo.svg"
# A grant that a person agrees to, a name that two people have, and a role that nobody gets.
SCENES = [
    "Sam starts on the Orders app today",
    "Give Alex Kim the Tester role",
    "Just make Sam an administrator everywhere",
]
COLUMNS, WIDE, HIGH, EDGE = 80, 8.43, 19, 18
CLASSES = {"1": "bold", "2": "dim", "31": "bad", "32": "good", "33": "waits", "36": "note"}
STYLE = """
    .ground { fill: #ffffff; stroke: #d0d7de }
    text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
           fill: #1f2328; white-space: pre }
    .bold { font-weight: 600 } .dim { fill: #656d76 } .good { fill: #1a7f37 } .bad { fill: #cf222e }
    .waits { fill: #9a6700 } .note { fill: #0969da }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117; stroke: #30363d } text { fill: #e6edf3 }
      .dim { fill: #8d96a0 } .good { fill: #3fb950 } .bad { fill: #f85149 } .waits { fill: #d29922 }
      .note { fill: #58a6ff }
    }"""


def printed(grantor):
    """What the demo prints, in colour."""
    environment = {**os.environ, "CLICOLOR_FORCE": "1", "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    ran = subprocess.run([grantor, "demo"], env=environment, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"the demo ended with {ran.returncode}: {ran.stderr}")
    return ran.stdout


def scenes(output):
    """The scenes that are shown, without what is another one each time."""
    output = re.sub(r"gr-[a-z2-7]{20,}", "gr-ltgjiuo4jyf4iyozwziyvpbvba", output)
    output = re.sub(r"(grantor-demo )[0-9.]+(”\), for )\S+?,", r"\g<1>1\g<2>ada,", output)
    every = output.split("\n\n")
    found = [scene for wanted in SCENES for scene in every if wanted in scene]
    if len(found) != len(SCENES):
        sys.exit(f"the demo has not all of {SCENES}")
    return "\n\n".join(found).strip("\n").split("\n")


def spans(line):
    """A line as pieces of text, each with the classes of its colours."""
    classes, pieces = [], []
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b["):
            codes = part[2:-1].split(";")
            if codes in ([""], ["0"]):
                classes = []
            else:
                classes = classes + [CLASSES[code] for code in codes if code in CLASSES]
        elif part:
            pieces.append((part, " ".join(classes)))
    return pieces


def drawn(lines):
    width, height = round(COLUMNS * WIDE + 2 * EDGE), len(lines) * HIGH + 2 * EDGE
    rows = []
    for number, line in enumerate(lines):
        pieces = "".join(
            f'<tspan class="{classes}">{escape(text)}</tspan>' if classes else escape(text)
            for text, classes in spans(line)
        )
        if pieces:
            rows.append(f'  <text x="{EDGE}" y="{EDGE + HIGH * number + 14}" xml:space="preserve">{pieces}</text>')
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-labelledby="title">',
        "  <title id=\"title\">Three scenes of `grantor demo`: a grant that a person agrees to and that is read back, a "
        "name that two people have, and a privileged role that is refused</title>",
        f"  <style>{STYLE}\n  </style>",
        f'  <rect class="ground" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
        *rows,
        "</svg>\n",
    ])


def main(arguments):
    check = arguments[:1] == ["--check"]
    grantor = arguments[check:]
    if len(grantor) != 1:
        sys.exit(__doc__)
    picture = drawn(scenes(printed(os.path.abspath(grantor[0]))))
    if not check:
        FILE.write_text(picture)
    elif FILE.read_text() != picture:
        sys.exit(f"{FILE} is not what the demo prints: run docs/picture/demo.py {grantor[0]}")


if __name__ == "__main__":
    main(sys.argv[1:])
