"""The licences of everything that is built into the program, which its packages must carry."""

import json
import pathlib

import product as table
import tools

NAMES = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT", "UNLICENSE")


def text(target):
    """Each licence text once, below the crates that it is of."""
    found = {}
    for package in packages(target):
        for file in sorted(pathlib.Path(package["manifest_path"]).parent.iterdir()):
            if file.is_file() and file.name.upper().startswith(NAMES):
                told = file.read_text(errors="replace").strip()
                found.setdefault(told, []).append(f"{package['name']} {package['version']}")
    parts = ["This program contains the crates below, each under its own licence.\n"]
    listed = [f"{one['name']} {one['version']}: {one['license'] or 'see its licence file'}" for one in packages(target)]
    parts.append("\n".join(listed) + "\n")
    for told, crates in sorted(found.items(), key=lambda item: item[1]):
        parts.append("\n".join(["-" * 72, ", ".join(crates), "", told, ""]))
    return "\n".join(parts)


def packages(target):
    """What the program is built of on a platform, without what only builds or tests it."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target.triple]
    told = json.loads(tools.run(*command, cwd=table.ROOT))
    nodes = {node["id"]: node for node in told["resolve"]["nodes"]}
    known = {package["id"]: package for package in told["packages"]}
    root = told["resolve"]["root"]
    reached, waiting = {root}, [root]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            is_built_in = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            is_macro = any("proc-macro" in one["kind"] for one in known[dependency["pkg"]]["targets"])
            if is_built_in and not is_macro and dependency["pkg"] not in reached:
                reached.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    others = [known[one] for one in reached if one != root]
    return sorted(others, key=lambda one: (one["name"], one["version"]))
