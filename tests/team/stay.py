"""Two replicas behind a balancer on a primary with a synchronous standby, for people who want to look."""

import contextlib
import signal
import threading

from load import Balancer
from matrix import Scene
from postgres import Cluster
from replicas import ASKING


class Kept:
    """What ends with the script, in the place of a row."""

    def __init__(self, folder, bench):
        self.folder, self.bench, self.stack = folder, bench, contextlib.ExitStack()
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, thing):
        self.stack.callback(thing.close)
        return thing


def stay(folder, bench):
    """Starts all of it, says where it is, and waits to be ended."""
    told = Kept(folder, bench)
    with told.stack:
        cluster = told.keep(Cluster())
        second = cluster.standby()
        scene = Scene(told, policy=ASKING, cluster=cluster)
        told.keep(Balancer(scene.team))
        team, issuer = scene.team, scene.team.issuer
        first = cluster.primary
        psql = f"psql -h {first.sockets} -U postgres grantor -p"
        print(f"""
Two replicas of Grantor, one PostgreSQL with a synchronous standby, and fake vendors. Ctrl-C ends all of it.

  clients      {team.public}   round robin over the two
  replicas     http://127.0.0.1:{scene[0].port} (process {scene[0].process.pid}), http://127.0.0.1:{scene[1].port} (process {scene[1].process.pid})
  page         http://127.0.0.1:{team.port}/inbox   whoever logs in is grace, and may approve
  counts       curl -s http://127.0.0.1:{scene[0].port}/metrics
  primary      {psql} {first.port}   (process {first.pid()})
  standby      {psql} {second.port}   (process {second.pid()})
  lines        SELECT seq, body FROM grantor.line WHERE chain = '{scene.chain}' ORDER BY seq;
  logs         {team.folder}

Ask for something as ada:

  curl -s {team.public} -H 'content-type: application/json' -H 'accept: application/json, text/event-stream' \\
    -H 'authorization: Bearer {issuer.bearer("ada")}' \\
    -d '{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"set_project_acl","arguments":{{"project_or_space_path":"/Harbor/Finance","grant_type":"USER","grantee":"user@example.com","permission_list":["R"],"reason":"OPS-7"}}}}}}'

Then approve it on the page, kill what you like (kill -9, kill -STOP), and look at the lines.
""", flush=True)
        ended = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        ended.wait()
    return 0
