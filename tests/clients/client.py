"""One Python SDK at work: the steps of scenario.json, and those that are no plain call.

    client.py NAME MODE

MODE is `1` for mcp 1.x, or the mode of an mcp 2.x client: `legacy`, `auto`. With OVER=http the server is a process
that serves over HTTP, and the client brings it a bearer. Prints a line a step, `pass` or `fail`, and leaves counting
to `run`.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import re
import sys
import traceback

from steps import steps

name, mode = sys.argv[1:]
step = steps(name)
grantor = os.environ["GRANTOR"]
root = pathlib.Path(os.environ["ROOT"])
work = pathlib.Path(os.environ["WORK"])
scenario = json.loads((pathlib.Path(__file__).parent / "scenario.json").read_text())

FIRST = mode == "1"
OVER_HTTP = os.environ.get("OVER") == "http"
# A grant that passes the gate of hold.py on its way, and one that any person may be asked about.
HELD = {"asset": "BillingService", "userGroupAssetPermission": [{"group": "API Team", "permission": "Modify"}]}
ASKED = {"userKey": "marta.lindqvist@example.com", "roleKey": "Tester", "assetKeys": ["Billing"]}
PROMPTS = ["onboard", "offboard", "access_review", "time_boxed_grant"]
LEAVER = {"person": "jonas.weber@example.com"}
LONGEST = 60

if FIRST:
    import mcp.types as types
    import httpx
    from mcp import ClientSession, McpError, StdioServerParameters
    from mcp.client.stdio import stdio_client
else:
    import httpx2 as httpx
    import mcp_types as types
    from mcp import Client, MCPError as McpError, StdioServerParameters


from mcp.client.streamable_http import streamable_http_client


class Person:
    """What the person at this client says, and what they were asked."""

    def __init__(self):
        self.says, self.types, self.asked, self.wait = None, None, [], asyncio.Event()
        self.wait.set()

    async def answer(self, _context, params):
        question = params.model_dump(by_alias=True, mode="json")
        self.asked.append(question)
        await self.wait.wait()
        content = {field: self.types for field in question["requestedSchema"]["properties"]}
        return types.ElicitResult(action=self.says, content=content if self.says == "accept" else None)


class Session:
    """What both SDKs have in common."""

    def __init__(self, sdk):
        self.sdk = sdk

    async def call(self, tool, arguments, progress=None):
        timeout = {} if progress is None else {"progress_callback": progress}
        result = await asyncio.wait_for(self.sdk.call_tool(tool, arguments, **timeout), LONGEST)
        return result.model_dump(by_alias=True, mode="json")

    async def tools(self):
        result = await self.sdk.list_tools()
        return result.model_dump(by_alias=True, mode="json")["tools"]

    async def prompts(self):
        return [prompt.name for prompt in (await self.sdk.list_prompts()).prompts]

    async def prompt(self, name, given):
        result = await self.sdk.get_prompt(name, given)
        return result.model_dump(by_alias=True, mode="json")["messages"]

    async def complete(self, prompt, argument, typed):
        ref = types.PromptReference(type="ref/prompt", name=prompt)
        result = await self.sdk.complete(ref, {"name": argument, "value": typed})
        return result.completion.values

    async def cancel(self, call):
        if FIRST:
            # This SDK has no word for it: the notification is sent by hand, for the last request.
            last = self.sdk._request_id - 1
            params = types.CancelledNotificationParams(requestId=last, reason="changed my mind")
            note = types.CancelledNotification(method="notifications/cancelled", params=params)
            await self.sdk.send_notification(types.ClientNotification(note))
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call


@contextlib.asynccontextmanager
async def opened(command, arguments, environment=None, person=None, bearer="alex"):
    async with contextlib.AsyncExitStack() as stack:
        if OVER_HTTP:
            url, headers = await stack.enter_async_context(served(command, arguments, bearer))
            http = await stack.enter_async_context(httpx.AsyncClient(headers=headers, timeout=LONGEST))
            server = streamable_http_client(url, http_client=http)
        else:
            server = StdioServerParameters(command=command, args=arguments, env=environment)
        ask = person.answer if person else None
        info = types.Implementation(name=name, version="1")
        if FIRST:
            pipes = await stack.enter_async_context(server if OVER_HTTP else stdio_client(server))
            session = ClientSession(*pipes[:2], elicitation_callback=ask, client_info=info)
            sdk = await stack.enter_async_context(session)
            hello = await sdk.initialize()
            sdk.protocol_version = hello.protocolVersion
        else:
            sdk = await stack.enter_async_context(Client(server, mode=mode, elicitation_callback=ask, client_info=info))
        yield Session(sdk)


@contextlib.asynccontextmanager
async def served(command, arguments, bearer):
    """A server over HTTP: where it is, and the headers of somebody whom the sandbox gives a bearer."""
    serve = [command, *arguments, "serve", "--http", "127.0.0.1:0"]
    child = await asyncio.create_subprocess_exec(*serve, stderr=asyncio.subprocess.PIPE)
    try:
        url = (await said(child, "clients find it at ")).strip()
        tokens = (await said(child, "bearers, good for an hour: ")).split("?who=")[0]
        async with httpx.AsyncClient() as http:
            token = (await http.get(f"{tokens}?who={bearer}")).text
        yield url, {"Authorization": f"Bearer {token}"}
    finally:
        child.terminate()
        await child.wait()


async def said(child, before):
    """What a child says after these words, on the line that has them."""
    while line := (await child.stderr.readline()).decode():
        if before in line:
            return line.split(before)[1]
    raise AssertionError(f"the server ended before it said {before!r}")


def state(folder):
    return ["--state-dir", str(work / folder)]


def found(body, path):
    for key in path.split("/"):
        if isinstance(body, list):
            body = body[int(key)] if int(key) < len(body) else None
        else:
            body = body.get(key) if isinstance(body, dict) else None
    return body


def compare(body, expected, kept):
    for path, want in expected.items():
        have = found(body, path)
        if isinstance(want, dict):
            assert want["has"] in str(have), f"{path} is {have!r}, without {want['has']!r}"
        else:
            want = kept.get(want, want) if isinstance(want, str) else want
            assert have == want, f"{path} is {have!r}, not {want!r}"


async def take(session, person, step, kept):
    if mode in ("1", "legacy"):
        # Whoever is asked while the call waits is asked once more.
        step = {**step, **step.get("legacy", {})}
    arguments = {key: kept.get(value, value) if isinstance(value, str) else value for key, value in step["arguments"].items()}
    person.asked, person.says = [], step.get("says")
    person.types = step.get("types", step.get("typed"))
    told = []

    async def progress(made, _total, message):
        told.append((made, message))

    try:
        result = await session.call(step["tool"], arguments, progress if step.get("progress") else None)
    except McpError as error:
        assert "error" in step, f"a protocol error: {error}"
        assert error.error.code == step["error"], error.error
        return
    assert "error" not in step, f"no protocol error: {result}"
    body = result["structuredContent"]
    assert bool(result["isError"]) == step.get("isError", False), f"isError is {result['isError']}: {body}"
    assert json.loads(result["content"][0]["text"]) == body, "the text is other than structuredContent"
    compare(body, step["expect"] | (step.get("over_http", {}) if OVER_HTTP else {}), kept)
    if "keep" in step:
        kept["$" + step["keep"]] = body["receipt"]
    if "says" in step:
        assert len(person.asked) == step.get("asked", 1), f"asked {len(person.asked)} times"
        message, form = person.asked[0]["message"], person.asked[0]["requestedSchema"]
        assert step["question"] in message, f"no {step['question']!r} in {message!r}"
        wanted = ["grantee"] if "typed" in step else []
        assert list(form["properties"]) == wanted, f"the form wants {form['properties']}"
    else:
        assert not person.asked, f"asked: {person.asked}"
    if step.get("progress"):
        steps = [made for made, _ in told]
        assert steps and steps == sorted(set(steps)), f"progress was {told}"


async def until(what, seconds=LONGEST):
    for _ in range(seconds * 50):
        if what():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen")


async def scenes():
    for number, scene in enumerate(scenario):
        # Over HTTP whoever calls is not who approves: nobody is asked.
        if OVER_HTTP and scene.get("elicits"):
            continue
        with step(f"{scene['session']}: came and went"):
            person, kept = Person(), {}
            policy = ["--policy", str(root / scene["policy"])] if "policy" in scene else []
            flags = ["--sandbox", *state(f"scene-{number}"), *policy]
            async with opened(grantor, flags, person=person if scene.get("elicits") else None) as session:
                with step(f"{scene['session']}: lists the tools, in {os.environ['ERA']}"):
                    era = session.sdk.protocol_version
                    assert era == os.environ["ERA"], f"the era is {era}"
                    tools = await session.tools()
                    assert len(tools) == 20, f"{len(tools)} tools"
                    assert all(tool["outputSchema"] and tool["title"] for tool in tools)
                with step(f"{scene['session']}: lists the prompts, makes one and completes an argument"):
                    assert await session.prompts() == PROMPTS
                    messages = await session.prompt("offboard", LEAVER)
                    assert len(messages) == 1 and LEAVER["person"] in messages[0]["content"]["text"], messages
                    try:
                        made = await session.prompt("offboard", {})
                    except McpError as error:
                        assert error.error.code == -32602, error.error
                    else:
                        raise AssertionError(f"made: {made}")
                    assert await session.complete("offboard", "vendor", "sn") == ["snaplogic"]
                for one in scene["steps"]:
                    with step(one["step"]):
                        await take(session, person, one, kept)


async def refuses_a_liar():
    with step("a result that breaks its outputSchema is not taken"):
        flags = ["--sandbox", *state("liar")]
        async with opened(sys.executable, [os.environ["LIAR"], grantor, *flags]) as session:
            await session.tools()
            try:
                result = await session.call("list_roles", {"vendor": "centrasite"})
            except (RuntimeError, McpError) as error:
                assert "rows" in str(error), error
            else:
                raise AssertionError(f"taken: {result}")


async def cancels_in_flight():
    with step("a call that is cancelled in flight sends nothing"):
        hold = work / "hold"
        environment = json.loads((hold / "environment.json").read_text())
        seen = lambda: (hold / "seen").read_text().splitlines() if (hold / "seen").exists() else []
        policy = ["--policy", str(root / "policies/examples/automation.cedar")]
        async with opened(grantor, [*state("held"), *policy], environment) as session:
            await session.tools()
            call = asyncio.ensure_future(session.call("set_asset_permissions", HELD))
            await until(seen)
            await session.cancel(call)
            # What is asked next is answered, while the first still waits for its vendor.
            checked = await session.call("check_change", {})
            assert checked["structuredContent"]["changes"] == [], checked
            (hold / "go").touch()
        writes = [line for line in seen() if not line.startswith("GET ")]
        assert seen() and not writes, f"sent all the same: {writes}"


async def withdraws_a_question():
    with step("a yes that comes after its call was cancelled grants nothing"):
        person = Person()
        person.says = "accept"
        person.wait.clear()
        flags = ["--sandbox", *state("withdrawn")]
        async with opened(grantor, flags, person=person) as session:
            await session.tools()
            call = asyncio.ensure_future(session.call("grant_asset_role", ASKED))
            await until(lambda: person.asked)
            await session.cancel(call)
            person.wait.set()
            # Neither open nor carried out.
            for _ in range(100):
                changes = (await session.call("check_change", {}))["structuredContent"]["changes"]
                open_or_done = [change for change in changes if change["outcome"] != "refused"]
                if not open_or_done:
                    break
                await asyncio.sleep(0.05)
            assert open_or_done == [], open_or_done
            held = {"vendor": "outsystems", "principal": ASKED["userKey"], "role": ASKED["roleKey"]}
            rows = (await session.call("list_access", held))["structuredContent"]["rows"]
            assert rows == [], f"granted all the same: {rows}"


async def is_held_to_its_scope():
    with step("a bearer for reading may look, and changes nothing"):
        policy = ["--policy", str(root / "policies/examples/automation.cedar")]
        flags = ["--sandbox", *state("reader"), *policy]
        looked, changed, why = None, None, None
        try:
            async with opened(grantor, flags, bearer="grace") as session:
                looked = await session.call("list_roles", {"vendor": "centrasite"})
                changed = await session.call("grant_asset_role", ASKED)
        except (Exception, BaseExceptionGroup) as error:
            # Whichever of its own this SDK makes of a 403.
            why = "".join(traceback.format_exception(error))
        assert looked and looked["structuredContent"]["rows"], looked
        assert changed is None and why and re.search("403|error response|the token does not allow this", why), changed or why


async def main():
    await scenes()
    if OVER_HTTP:
        await is_held_to_its_scope()
        return
    await refuses_a_liar()
    await cancels_in_flight()
    if os.environ["ERA"] < "2026":
        await withdraws_a_question()


asyncio.run(main())
