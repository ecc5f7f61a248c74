"""Starts the program that this package installs, under the package's own name, as `uvx` does."""

import os
import sys
import sysconfig

NAME = "grantor"


def main():
    program = os.path.join(sysconfig.get_path("scripts"), NAME)
    os.execv(program, [program, *sys.argv[1:]])
