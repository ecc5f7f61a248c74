"""Starts the program that this package installs, under the package's own name, as `uvx` does."""

import os
import sys
import sysconfig

NAME = "grantor"


def main():
    # Beside the script that was started, wherever that was installed; else where this Python has its scripts.
    own = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), NAME)
    program = own if os.path.isfile(own) else os.path.join(sysconfig.get_path("scripts"), NAME)
    os.execv(program, [program, *sys.argv[1:]])
