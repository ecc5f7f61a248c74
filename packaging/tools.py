"""What builds and checks packages, from registries by exact version, in a cache outside the repository."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import venv

import product as table

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "grantor-packaging"
CARGO = {"cargo-auditable": "0.7.7", "cargo-cyclonedx": "0.5.9"}
PYTHON = {
    "build": ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"],
    # skillsaw carries the registry's own schemas, which are at no address that a check without a network reaches.
    "check": [
        "check-jsonschema==0.39.0",
        "cyclonedx-python-lib[json-validation]==11.12.0",
        "mcp==1.30.0",
        "skillsaw==0.22.0",
        "twine==7.0.0",
        "uv==0.13.9",
        "wheel==0.48.0",
        "zizmor==1.32.0",
    ],
}
NPM = {"check": ["@anthropic-ai/mcpb@2.1.2", "@anthropic-ai/claude-code@2.1.332", "@google/gemini-cli@0.61.0"]}
DEBIAN = {
    "dpkg-deb": "dpkg",
    "lintian": "lintian",
    "man": "man-db",
    "objdump": "binutils",
    "systemd-analyze": "systemd",
    "umoci": "umoci",
}


def run(*command, **options):
    """Runs a command to its end; one that fails ends this program, with what it said."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command[:4]))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Failed(Exception):
    """A command did not do what it was to do."""


def kept(folder, pins, install):
    """A folder of the cache in which exactly `pins` were installed."""
    mark = folder / "pins.json"
    if not mark.exists() or json.loads(mark.read_text()) != pins:
        print(f"installs {' '.join(pins)}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install()
        mark.write_text(json.dumps(pins))
    return folder


def python(name):
    """The folder of the programs of some PyPI packages."""
    folder = CACHE / f"python-{name}"
    programs = folder / "bin"

    def install():
        venv.create(folder, with_pip=True)
        run(programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PYTHON[name])

    kept(folder, PYTHON[name], install)
    return programs


def npm(name):
    """The folder of the programs of some npm packages."""
    folder = CACHE / f"npm-{name}"
    options = ["--silent", "--no-audit", "--no-fund", "--no-package-lock"]
    kept(folder, NPM[name], lambda: run("npm", "install", "--prefix", folder, *options, *NPM[name]))
    return folder / "node_modules" / ".bin"


def cargo(name):
    """A program of crates.io, unless there is one."""
    if not shutil.which(name):
        subprocess.run(["cargo", "install", "--locked", "--version", CARGO[name], name], check=True)


def debian(*commands):
    """Programs of Debian's packages, unless they are there."""
    missing = [DEBIAN[command] for command in commands if not shutil.which(command)]
    if missing:
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)


def environment(name):
    """This environment, with those PyPI packages' programs first."""
    programs = CACHE / f"python-{name}" / "bin"
    return os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


def host():
    """The triple of this machine."""
    told = run("rustc", "-vV")
    return next(line.split()[1] for line in told.splitlines() if line.startswith("host:"))


def target_folder():
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or table.ROOT / "target")
