"""Has a client of the Python SDK start a server and use it: handshake.py VERSION TOOLS COMMAND…

Fails unless the server says that version, lists that many tools, and answers a look.
"""

import asyncio
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

LONGEST = 60


async def main(version, tools, command, *args):
    parameters = StdioServerParameters(command=command, args=list(args), env=dict(os.environ))
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        told = (await session.initialize()).serverInfo.version
        assert told == version, f"it says that it is version {told}, not {version}"
        listed = (await session.list_tools()).tools
        assert len(listed) == int(tools), f"it lists {len(listed)} tools, not {tools}"
        found = await session.call_tool("list_roles", {"vendor": "dfns"})
        assert not found.isError, found.content
        assert found.structuredContent["rows"], "it lists no role"


def first(trouble):
    """The one trouble inside a group of them."""
    return first(trouble.exceptions[0]) if isinstance(trouble, BaseExceptionGroup) else trouble


try:
    asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), LONGEST))
except Exception as trouble:
    sys.exit(f"{type(first(trouble)).__name__}: {first(trouble)}")
