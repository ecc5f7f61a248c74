"""A server that breaks its own outputSchema: it passes lines between a client and the real one, and
takes `outcome` and `rows` out of what calls answer. A client that does not object does not validate.

    liar.py COMMAND ARGUMENT…
"""

import json
import subprocess
import sys
import threading

server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def questions():
    for line in sys.stdin.buffer:
        server.stdin.write(line)
        server.stdin.flush()
    server.stdin.close()


threading.Thread(target=questions, daemon=True).start()
for line in server.stdout:
    message = json.loads(line)
    content = message.get("result", {}).get("structuredContent", {})
    content.pop("outcome", None)
    content.pop("rows", None)
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
sys.exit(server.wait())
