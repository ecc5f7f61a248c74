"""Every manifest that registries and clients read, from Cargo.toml and the program's own facts."""

import base64
import json
import urllib.parse

import product as table

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
SECRETS = "Credentials stay in the configuration file; `grantor doctor` says what each vendor needs."


def manifests(product):
    """Every manifest by its path in the repository."""
    written = {
        "server.json": server(product),
        "packaging/mcpb.json": mcpb(product, table.TARGETS[0]),
        ".claude-plugin/plugin.json": claude_plugin(product),
        ".claude-plugin/marketplace.json": claude_marketplace(product),
        "gemini-extension.json": gemini(product),
    }
    made = {path: json.dumps(body, indent=2, ensure_ascii=False) + "\n" for path, body in written.items()}
    return made | {"docs/install-links.md": links(product)}


def settings():
    """Every setting, with the title of its vendor."""
    return [(vendor["title"], one) for vendor in table.facts()["vendors"] for one in vendor["variables"]]


# The MCP registry


def server(product):
    """`server.json`. Bundles are added when they are built, since the registry wants their hashes."""
    environment = [variable(title, one) for title, one in settings()]
    package = {"transport": {"type": "stdio"}, "environmentVariables": environment}
    version = product.version
    about = {"repository": {"url": product.repository, "source": "github"}} if product.is_published else {}
    return {
        "$schema": SCHEMA,
        "name": product.registry_name,
        "title": product.title,
        "description": product.summary,
        "version": version,
        **about,
        "packages": [
            {"registryType": "npm", "identifier": product.package, "version": version, "runtimeHint": "npx", **package},
            {"registryType": "pypi", "identifier": product.package, "version": version, "runtimeHint": "uvx", **package},
            {"registryType": "oci", "identifier": f"{product.image}:{version}", "runtimeHint": "docker", **package},
        ],
    }


def bundle(product, file, sha256):
    """A package of `server.json`: a bundle among the files of a release."""
    return {
        "registryType": "mcpb",
        "identifier": f"{product.repository}/releases/download/v{product.version}/{file}",
        "version": product.version,
        "fileSha256": sha256,
        "transport": {"type": "stdio"},
    }


def variable(title, one):
    said = {"name": one["name"], "description": f"{title}: {one['help']}", "isSecret": one["is_secret"]}
    # Nobody has all five vendors: what one of them requires is not required of the server.
    return said | {"isRequired": False} | ({"default": one["default"]} if one["default"] else {})


# Bundles (MCPB)


def mcpb(product, target):
    """A bundle's manifest. What has no default would reach the program as a placeholder: each has an empty one."""
    program = f"server/{product.name}"
    options = table.facts()["options"]
    asked = {one["variable"].lower(): option(one) for one in options}
    asked |= {one["name"].lower(): user_config(title, one) for title, one in settings()}
    names = [one["variable"] for one in options] + [one["name"] for _, one in settings()]
    about = {"repository": {"type": "git", "url": product.repository}} if product.is_published else {}
    return {
        "manifest_version": "0.3",
        "name": product.name,
        "display_name": product.title,
        "version": product.version,
        "description": product.summary,
        "long_description": f"Fill in what one vendor needs, and leave the others empty. {SECRETS}",
        "author": {"name": product.author},
        **about,
        "server": {
            "type": "binary",
            "entry_point": program,
            "mcp_config": {
                "command": f"${{__dirname}}/{program}",
                "args": [],
                "env": {name: f"${{user_config.{name.lower()}}}" for name in names},
            },
        },
        "tools": table.tools(),
        "tools_generated": True,
        "license": product.licence,
        "compatibility": {"platforms": [target.node_os]},
        "user_config": asked,
    }


def option(one):
    kind = {"type": "boolean", "default": False} if one["is_switch"] else {"type": "string", "default": ""}
    title = one["variable"].removeprefix("GRANTOR_").replace("_", " ").capitalize()
    return {**kind, "title": title, "description": one["help"], "required": False}


def user_config(title, one):
    help = one["help"] + (f" (default {one['default']})" if one["default"] else "")
    return {
        "type": "string",
        "title": f"{title}: {one['name']}",
        "description": help[0].upper() + help[1:],
        "required": False,
        "sensitive": one["is_secret"],
        "default": "",
    }


# Plugins and extensions


def starts(product):
    return {"command": product.command[0], "args": product.command[1:]}


def claude_plugin(product):
    about = {"repository": product.repository, "homepage": product.repository} if product.is_published else {}
    return {
        "name": product.name,
        "version": product.version,
        "description": product.summary,
        "author": {"name": product.author},
        "license": product.licence,
        **about,
        "mcpServers": {product.name: starts(product)},
    }


def claude_marketplace(product):
    return {
        "name": product.name,
        "description": f"{product.title}, and how to use it well",
        "owner": {"name": product.author},
        "plugins": [{"name": product.name, "source": "./", "description": product.summary}],
    }


def gemini(product):
    """No settings: Gemini CLI calls for all of them at every start, and nobody has five vendors."""
    return {
        "name": product.name,
        "version": product.version,
        "description": product.summary,
        "mcpServers": {product.name: starts(product)},
    }


# Links that a client opens


def links(product):
    state = (
        f"They have the client fetch `{product.package}` {product.version} from npm."
        if product.is_published
        else f"Nothing is published yet: they have the client start the `{product.name}` that is on its path."
    )
    parts = [
        "# Links that a client opens\n",
        "<!-- made by packaging/manifests -->\n",
        f"Put one into a browser's address bar; the client shows what it would start, and asks. {state}",
        "`grantor install` does the same with the program's absolute path, and looks whether it answers.\n",
        link("VS Code, with fake vendors", vscode(product, ["--sandbox"])),
        link("Cursor, with fake vendors", cursor(product, ["--sandbox"])),
        link("VS Code, with what the configuration file says", vscode(product, [])),
        link("Cursor, with what the configuration file says", cursor(product, [])),
        "VS Code can ask for what one vendor needs, and keep it.\n",
    ]
    for vendor in table.facts()["vendors"]:
        required = [one for one in vendor["variables"] if one["is_required"]]
        parts.append(link(f"VS Code, {vendor['title']}", vscode(product, ["--vendor", vendor["name"]], required)))
    return "\n".join(parts).rstrip() + "\n"


def link(title, address):
    return f"**{title}**\n\n```text\n{address}\n```\n"


def vscode(product, args, asked=()):
    command, *own = product.command
    body = {"name": product.name, "type": "stdio", "command": command, "args": own + args}
    if asked:
        body["env"] = {one["name"]: f"${{input:{one['name']}}}" for one in asked}
        body["inputs"] = [
            {
                "type": "promptString",
                "id": one["name"],
                "description": f"{product.title}: {one['name']}",
                "password": one["is_secret"],
            }
            for one in asked
        ]
    return "vscode:mcp/install?" + urllib.parse.quote(compact(body), safe="")


def cursor(product, args):
    command, *own = product.command
    config = base64.b64encode(compact({"command": command, "args": own + args}).encode()).decode()
    query = urllib.parse.urlencode({"name": product.name, "config": config})
    return f"cursor://anysphere.cursor-deeplink/mcp/install?{query}"


def compact(body):
    return json.dumps(body, separators=(",", ":"))
