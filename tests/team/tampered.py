"""Whoever writes into the database or into a copy by hand, and does not have the key."""

import json

from matrix import Scene
from rows import row


def asked_once(told):
    """A scene without servers, whose chain has one request that waits."""
    scene = Scene(told, replicas=0)
    free = told.folder / "machine"
    ran = scene.team.run("call", "set_project_acl", *as_json(scene.change()), state=free)
    told.equal(ran.returncode, 3, f"it waits: {ran.stdout}{ran.stderr}")
    return scene, free


def as_json(change):
    return [json.dumps(change)]


def says(told, scene, state, words, text, status=None, **more):
    ran = scene.team.run(*words, state=state, **more)
    said = ran.stdout + ran.stderr
    told.check(text in said, f"{' '.join(words)} does not say {text!r}: {said}")
    if status is not None:
        told.equal(ran.returncode, status, f"status of {' '.join(words)}: {said}")
    return said


@row("a replica with another key adds no line", "tampered", quick=True)
def other_key(told):
    scene, state = asked_once(told)
    other = {"GRANTOR_LEDGER_KEY": "f" * 40}
    words = ["call", "set_project_acl", *as_json(scene.change())]
    says(told, scene, told.folder / "other", words, "not sealed under the key that is given", **other)
    told.equal(scene.events(), ["asked"], "lines")
    says(told, scene, state, ["ledger", "verify"], "whole", 0)
    told.state = scene.left()
    told.says("it is refused, and the chain is whole for all others")


@row("a copy that somebody changed is made anew, and nobody else's request ends", "tampered", quick=True)
def damaged_copy(told):
    scene, state = asked_once(told)
    for _ in range(2):
        scene.team.run("call", "set_project_acl", *as_json(scene.change()), state=state)
    lines = state / f"copy-of-{scene.chain}" / "lines.jsonl"
    before = lines.read_text()
    first, last = before.index("asked"), before.rindex("asked")
    for at in (first, last):
        lines.write_text(before[:at] + "Asked" + before[at + 5:])
        says(told, scene, state, ["requests"], "waiting", 0)
        told.equal(lines.read_text(), before, "the copy")
        says(told, scene, state, ["ledger", "verify"], "whole", 0)
    told.equal(scene.events(), ["asked"] * 3, "lines")
    told.state = scene.left()
    told.says("changed at its first line and at its last, it is made anew; nothing is written to the chain")


@row("a line of the database that somebody changed shows where there was a copy, and in a new one", "tampered")
def changed_line(told):
    scene, state = asked_once(told)
    scene.team.run("call", "set_project_acl", *as_json(scene.change()), state=state)
    scene.primary.sql("UPDATE grantor.line SET body = replace(body, 'asked', 'Asked')"
                      f" WHERE chain = '{scene.chain}' AND seq = 1")
    says(told, scene, state, ["ledger", "verify"], "is another one in the database", 1)
    says(told, scene, told.folder / "new", ["ledger", "verify"], "does not hold its seal", 1)
    told.state = scene.left()
    told.says("verify names it on both")


@row("a chain whose row somebody changed takes no line, says so, and can be set right", "tampered", quick=True)
def changed_row(told):
    scene, state = asked_once(told)
    scene.primary.sql(f"UPDATE grantor.chain SET seq = 50 WHERE name = '{scene.chain}'")
    text = "says that the chain ends at line 50"
    says(told, scene, state, ["ledger", "verify"], text, 1)
    says(told, scene, state, ["expire"], text, 1)
    says(told, scene, state, ["doctor"], text)
    says(told, scene, state, ["call", "set_project_acl", *as_json(scene.change())], text)
    told.equal(scene.events(), ["asked"], "lines")
    scene.primary.sql(f"UPDATE grantor.chain SET seq = 1 WHERE name = '{scene.chain}'")
    says(told, scene, state, ["ledger", "verify"], "whole", 0)
    told.state = scene.left()
    told.says("verify, expire, doctor and a change name it")


@row("lines that are copied to another chain hold no seal there", "tampered", quick=True)
def copied_chain(told):
    scene, _ = asked_once(told)
    other = f"{scene.chain}-other"
    scene.primary.sql(f"INSERT INTO grantor.chain SELECT '{other}', seq, hash, writer_min, began FROM grantor.chain"
                      f" WHERE name = '{scene.chain}'")
    scene.primary.sql(f"INSERT INTO grantor.line SELECT '{other}', seq, body FROM grantor.line"
                      f" WHERE chain = '{scene.chain}'")
    said = says(told, scene, told.folder / "new", ["requests"], "sealed under the key that is given",
                GRANTOR_STORE_CHAIN=other)
    told.check("waiting" not in said, said)
    told.state = scene.left()
    told.says("a request of one chain is none of the other")


@row("a machine that has a ledger of files adds no line to an empty chain", "tampered", quick=True)
def not_imported(told):
    scene = Scene(told, replicas=0)
    state = told.folder / "machine"
    words = ["call", "set_project_acl", *as_json(scene.change())]
    kept, scene.team.store = scene.team.store, {}
    told.equal(scene.team.run(*words, state=state).returncode, 3, "a request in files")
    scene.team.store = kept
    text = "run `grantor ledger import`"
    says(told, scene, state, words, text)
    says(told, scene, state, ["expire"], text, 1)
    told.equal(scene.events(), [], "lines")
    says(told, scene, state, ["ledger", "import"], "taken over", 0)
    says(told, scene, state, ["requests"], "waiting", 0)
    told.state = scene.left()
    told.says("what waits in the files is named, and waits on after the import")
