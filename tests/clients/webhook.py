"""The official Python library of Standard Webhooks receives what Grantor tells, and checks its signatures.

    webhook.py NAME

Prints a line a step, `pass` or `fail`, and leaves counting to `run`.
"""

import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import threading

from standardwebhooks import Webhook, WebhookVerificationError
from steps import steps

(name,) = sys.argv[1:]
step = steps(name)
grantor = os.environ["GRANTOR"]
root = pathlib.Path(os.environ["ROOT"])
work = pathlib.Path(os.environ["WORK"])
OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
# Signs beside them, for whoever checks by the public key alone; the library has `v1` only.
PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc="
OTHER = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
got = []


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        got.append((body, {key.lower(): value for key, value in self.headers.items()}))
        # The first one is to come again.
        self.send_response(503 if len(got) == 1 else 204)
        self.end_headers()

    def log_message(self, *_):
        pass


def run(at, *arguments):
    state = ["--state-dir", str(work / "state"), "--config", str(work / "config.toml")]
    policy = ["--policy", str(root / "policies/examples/automation.cedar")]
    env = {"PATH": os.environ["PATH"], "HOME": str(work), **at}
    command = [grantor, "--vendor", "dfns", *state, *policy, *arguments]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def vendors(served):
    at = {}
    while "CENTRASITE_PASSWORD" not in at:
        line = served.stdout.readline()
        assert line, "the fake vendors ended"
        if export := re.match(r"export (\w+)='(.*)'$", line):
            at[export[1]] = export[2]
    return at


def tried_again():
    """As if the time to try again had come."""
    path = work / "state/notices/hook.json"
    kept = json.loads(path.read_text())
    kept["failing"]["next"] = "2020-01-01T00:00:00Z"
    path.write_text(json.dumps(kept))


receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=receiver.serve_forever, daemon=True).start()
(work / "state").mkdir(mode=0o700)
config = work / "config.toml"
config.touch(mode=0o600)
config.write_text(
    f'[notify.hook]\nurl = "http://127.0.0.1:{receiver.server_port}/hook"\n'
    f'secrets = ["{NEW}", "{PRIVATE}", "{OLD}"]\nallow_private = true\ndetail = "summary"\n'
)
with subprocess.Popen([grantor, "sandbox", "--state-dir", str(work / "vendors")], stdout=subprocess.PIPE, text=True) as served:
    try:
        at = vendors(served)
        with step("a change is told, again where it was not taken"):
            run(at, "expire")
            change = {"permissionId": "Treasury Viewer", "identityId": "user@example.com"}
            receipt = json.loads(run(at, "call", "assign_permission", json.dumps(change)))["receipt"]
            run(at, "expire")
            tried_again()
            run(at, "expire")
            assert len(got) == 2, got
            told = json.loads(got[1][0])
            assert (told["type"], told["data"]["receipt"]) == ("carried_out", receipt), told
            assert got[0][1]["webhook-id"] == got[1][1]["webhook-id"]
        with step("the library takes each signature, by either secret"):
            for body, headers in got:
                versions = [one.split(",")[0] for one in headers["webhook-signature"].split(" ")]
                assert versions == ["v1", "v1a", "v1"], versions
                for secret in (OLD, NEW):
                    assert Webhook(secret).verify(body, headers) == json.loads(body)
        with step("it takes no other secret and no other body"):
            body, headers = got[1]
            for secret, text in ((OTHER, body), (NEW, body.replace(b"carried_out", b"asked"))):
                try:
                    Webhook(secret).verify(text, headers)
                except WebhookVerificationError:
                    continue
                raise AssertionError("it was taken")
    finally:
        served.terminate()
