"""The vendor's own Python SDK at work against the sandbox's Dfns, beside Grantor.

    dfns.py NAME

Prints a line a step, `pass` or `fail`, and leaves counting to `run`. The SDK's types are in snake
case, and what is sent and answered is in camel case, as everywhere at this vendor.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from dfns_sdk import DfnsClient, DfnsClientConfig, DfnsError, KeySigner
from steps import steps

(name,) = sys.argv[1:]
step = steps(name)
grantor = os.environ["GRANTOR"]
root = pathlib.Path(os.environ["ROOT"])
work = pathlib.Path(os.environ["WORK"])

KEYS = {
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
    "RSA": lambda: rsa.generate_private_key(public_exponent=65537, key_size=3072),
}


def new_key(kind):
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return KEYS[kind]().private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain).decode()


@contextlib.contextmanager
def vendors(kind):
    """The five fake vendors, with a key of this kind registered at Dfns."""
    state = work / kind
    key = state / "sandbox" / "dfns.pem"
    key.parent.mkdir(parents=True, mode=0o700)
    key.touch(mode=0o600)
    key.write_text(new_key(kind))
    command = [grantor, "sandbox", "--state-dir", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        try:
            at = {"state": str(state)}
            while "CENTRASITE_PASSWORD" not in at:
                line = served.stdout.readline()
                assert line, "the fake vendors ended"
                if export := re.match(r"export (\w+)='(.*)'$", line):
                    at[export[1]] = export[2]
            yield at
        finally:
            served.terminate()


def client(at, key=None, token=None):
    key = key or pathlib.Path(at["DFNS_PRIVATE_KEY_FILE"]).read_text()
    signer = KeySigner(credential_id=at["DFNS_CREDENTIAL_ID"], private_key=key)
    token = token or at["DFNS_AUTH_TOKEN"]
    return DfnsClient(DfnsClientConfig(auth_token=token, base_url=at["DFNS_API_URL"], signer=signer))


def called(at, tool, arguments):
    """A call of one of Grantor's tools at the same fake vendors."""
    policy = ["--policy", str(root / "policies/examples/automation.cedar")]
    command = [grantor, "--vendor", "dfns", "--state-dir", at["state"], *policy, "call", tool]
    # A configuration of whoever runs this is none of it.
    env = {"PATH": os.environ["PATH"], "HOME": str(work), **at}
    ran = subprocess.run([*command, json.dumps(arguments)], env=env, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout)


def refused(status, call, *arguments, **named):
    try:
        answer = call(*arguments, **named)
    except DfnsError as error:
        assert error.status_code == status, repr(error)
        return error
    raise AssertionError(f"answered: {answer}")


def every(get, limit, *arguments):
    """All rows of a list that comes in pages."""
    rows, query = [], {"limit": limit}
    while True:
        page = get(*arguments, query)
        assert len(page["items"]) <= limit, page
        rows += page["items"]
        if "nextPageToken" not in page:
            return rows
        query["paginationToken"] = page["nextPageToken"]


def no_null(rows):
    """What is optional in the SDK's types is absent, and never null."""
    assert rows, "no rows"
    for row in rows:
        assert None not in row.values(), row
    return rows


def named(dfns, wanted):
    return next(one["id"] for one in dfns.permissions.list_permissions()["items"] if one["name"] == wanted)


def user(dfns, username):
    return next(one["userId"] for one in dfns.auth.list_users()["items"] if one["username"] == username)


def holders(dfns, permission):
    return [one["identityId"] for one in dfns.permissions.list_assignments(permission)["items"]]


def looks(at, dfns):
    with step("lists permissions, page by page"):
        rows = no_null(every(dfns.permissions.list_permissions, 3))
        assert rows == dfns.permissions.list_permissions({"limit": 500})["items"]
        assert dfns.permissions.get_permission(rows[1]["id"]) == rows[1]
    with step("lists users, of one kind each"):
        rows = no_null(every(dfns.auth.list_users, 4))
        assert dfns.auth.get_user(rows[0]["userId"]) == rows[0]
        kinds = ["TenantUser", "CustomerEmployee", "EndUser"]
        found = [row for kind in kinds for row in dfns.auth.list_users({"kind": kind})["items"]]
        by_id = lambda row: row["userId"]
        assert sorted(found, key=by_id) == sorted(rows, key=by_id)
        assert {row["kind"] for row in rows} == {"TenantUser", "CustomerEmployee"}, rows
    with step("lists service accounts, with this credential among them"):
        accounts = dfns.auth.list_service_accounts()["items"]
        tokens = no_null([token for one in accounts for token in one["accessTokens"]])
        assert all(token["publicKey"] and token["linkedAppId"] and token["orgId"] for token in tokens)
        assert at["DFNS_CREDENTIAL_ID"] in [token["credId"] for token in tokens]
        no_null([one["userInfo"] for one in accounts])
        assert dfns.auth.get_service_account(accounts[0]["userInfo"]["userId"]) == accounts[0]
        assert dfns.auth.list_personal_access_tokens()["items"] == []
    with step("lists policies, in force and archived"):
        assert no_null(dfns.policies.list_policies({"status": "Active"})["items"])
        assert dfns.policies.list_policies({"status": "Archived"})["items"] == []
    with step("a token that is none is not let in"):
        stranger = client(at, token=at["DFNS_AUTH_TOKEN"] + "x")
        refused(401, stranger.permissions.list_permissions)


def groups(dfns):
    permission = named(dfns, "Treasury Viewer")
    with step("lists user groups and their members"):
        listed = no_null(every(dfns.auth.list_user_groups, 2))
        for one in listed:
            assert dfns.auth.get_user_group(one["id"]) == one
            members = every(dfns.auth.list_user_group_members, 1, one["id"])
            assert len(members) == one["memberCount"], members
            assert not members or no_null(members)
        group = next(one["id"] for one in listed if one["memberCount"])
    with step("a group is given a permission, and loses it"):
        made = dfns.permissions.assign_permission(permission, {"identityId": group})
        assert made["identityId"] == group and group in holders(dfns, permission)
        assert dfns.permissions.revoke_permission(permission, made["id"]) is None
        assert group not in holders(dfns, permission)
    with step("a group is made, renamed, filled and emptied, and goes with what it holds"):
        (made,) = no_null([dfns.auth.create_user_group({"name": "Of the SDK"})])
        group = made["id"]
        refused(409, dfns.auth.create_user_group, {"name": "Of the SDK"})
        renamed = dfns.auth.update_user_group(group, {"description": "Made by it"})
        assert (renamed["name"], renamed["description"]) == ("Of the SDK", "Made by it")
        users = {"userIds": [user(dfns, "user@example.com")]}
        assert dfns.auth.add_user_group_members(group, users) is None
        assert dfns.auth.get_user_group(group)["memberCount"] == 1
        dfns.permissions.assign_permission(permission, {"identityId": group})
        assert dfns.auth.remove_user_group_members(group, users) is None
        assert dfns.auth.get_user_group(group)["memberCount"] == 0
        assert dfns.auth.delete_user_group(group) is None
        assert group not in holders(dfns, permission)
        refused(404, dfns.auth.get_user_group, group)
        again = dfns.auth.create_user_group({"name": "Of the SDK"})
        assert dfns.auth.delete_user_group(again["id"]) is None


def approvals(dfns):
    permission, identity = named(dfns, "Payments Approver"), user(dfns, "user@example.com")
    with step("an assignment that needs approval waits"):
        # To this SDK a 202 is an answer like any other.
        change = dfns.permissions.assign_permission(permission, {"identityId": identity})
        no_null([change])
        assert (change["kind"], change["operationKind"], change["status"]) == ("Assignment", "Create", "Pending")
        assert change["body"]["identityId"] == identity and change["userActionId"], change
        rows = dfns.permissions.list_assignments(permission)["items"]
        waiting = [row for row in rows if row["id"] == change["entityId"]]
        assert all(row["pendingChangeRequest"]["id"] == change["id"] for row in waiting), waiting
        held = dfns.auth.get_user(identity)["permissionAssignments"]
        assert permission not in [one["permissionId"] for one in held], held
    with step("its approval is listed, read and denied"):
        query = {"status": "Pending", "initiatorId": change["requester"]["userId"], "limit": "5"}
        rows = no_null(dfns.policies.list_approvals(query)["items"])
        approval = next(row for row in rows if row["activity"]["changeRequest"]["id"] == change["id"])
        assert dfns.policies.get_approval(approval["id"]) == approval
        denied = dfns.policies.create_approval_decision(approval["id"], {"value": "Denied"})
        assert (denied["status"], denied["activity"]["changeRequest"]["status"]) == ("Denied", "Rejected")
        assert identity not in holders(dfns, permission)
    with step("taking away waits too, unless it is forced"):
        rows = dfns.permissions.list_assignments(permission)["items"]
        assignment = next(row["id"] for row in rows if "pendingChangeRequest" not in row)
        # Nothing tells that it only waits: this method answers None, done or not.
        assert dfns.permissions.revoke_permission(permission, assignment) is None
        rows = dfns.permissions.list_assignments(permission)["items"]
        leaving = next(row for row in rows if row["id"] == assignment)
        assert leaving["pendingChangeRequest"]["operationKind"] == "Delete", leaving
        # It writes `force=True`.
        assert dfns.permissions.revoke_permission(permission, assignment, {"force": True}) is None
        rows = dfns.permissions.list_assignments(permission)["items"]
        assert assignment not in [row["id"] for row in rows]


def signs(kind, at, dfns):
    permission, identity = named(dfns, "Treasury Viewer"), user(dfns, "user@example.com")
    with step(f"{kind}: assigns a permission, and sees it"):
        made = dfns.permissions.assign_permission(permission, {"identityId": identity})
        rows = no_null(every(dfns.permissions.list_assignments, 1, permission))
        assert made in rows, rows
        held = dfns.auth.get_user(identity)["permissionAssignments"]
        assert made["id"] in [one["assignmentId"] for one in held], held
        refused(409, dfns.permissions.assign_permission, permission, {"identityId": identity})
    with step(f"{kind}: Grantor lists what the SDK assigned"):
        rows = called(at, "list_access", {"vendor": "dfns", "principal": identity})["rows"]
        assert permission in [row["role"]["id"] for row in rows], rows
    with step(f"{kind}: revokes it, and it is gone"):
        dfns.permissions.revoke_permission(permission, made["id"])
        assert identity not in holders(dfns, permission)
        refused(404, dfns.permissions.revoke_permission, permission, made["id"])
    with step(f"{kind}: another key of the kind signs nothing"):
        stranger = client(at, new_key(kind))
        refused(401, stranger.permissions.assign_permission, permission, {"identityId": identity})
        assert identity not in holders(dfns, permission)
    with step(f"{kind}: what Grantor assigns and revokes, the SDK sees"):
        change = {"permissionId": permission, "identityId": identity}
        assert called(at, "assign_permission", change)["outcome"] == "confirmed"
        assert identity in holders(dfns, permission)
        assert called(at, "revoke_permission", change)["outcome"] == "confirmed"
        assert identity not in holders(dfns, permission)


# As an exception, so that the fake vendors end too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
for kind in KEYS:
    with step(f"{kind}: the fake vendors came and went"), vendors(kind) as at:
        dfns = client(at)
        if kind == "Ed25519":
            looks(at, dfns)
            groups(dfns)
            approvals(dfns)
        signs(kind, at, dfns)
