"""Starts the program that this package installs, under the package's own name, as `uvx` does."""

import os
import subprocess
import sys
import sysconfig

NAME = "grantor.exe" if os.name == "nt" else "grantor"


def main():
    program = os.path.join(sysconfig.get_path("scripts"), NAME)
    if os.name != "nt":
        os.execv(program, [program, *sys.argv[1:]])
    sys.exit(subprocess.call([program, *sys.argv[1:]]))
