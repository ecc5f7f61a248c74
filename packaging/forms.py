"""The forms in which a built program is handed on: each takes the same contents and gives files by name."""

import base64
import dataclasses
import email.utils
import functools
import hashlib
import json
import pathlib
import re
import textwrap

import archive
import image
import manifests_of
import product as table
from archive import Entry

# Where a Debian package keeps the completions of each shell.
SHELLS = {
    "bash": "usr/share/bash-completion/completions/{name}",
    "zsh": "usr/share/zsh/vendor-completions/_{name}",
    "fish": "usr/share/fish/vendor_completions.d/{name}.fish",
}
HERE = pathlib.Path(__file__).resolve().parent
UNITS = sorted((HERE / "systemd").iterdir())


@dataclasses.dataclass
class Documents:
    """Manual pages by file, and completions by shell."""

    pages: dict[str, bytes]
    completions: dict[str, bytes]


@dataclasses.dataclass
class Contents:
    """What every form is made of."""

    product: table.Product
    target: table.Target
    binary: pathlib.Path
    documents: Documents
    notices: str

    @property
    def stem(self):
        return f"{self.product.name}-{self.product.version}-{self.target.triple}"

    def program(self, path):
        return Entry(path, self._bytes, 0o755)

    @functools.cached_property
    def _bytes(self):
        return self.binary.read_bytes()

    def legal(self, folder=""):
        """The product's own licences, and those of what is built into it."""
        own = [Entry(folder + name, (table.ROOT / name).read_bytes()) for name in ("LICENSE-MIT", "LICENSE-APACHE")]
        return [*own, Entry.text(folder + "THIRD-PARTY.txt", self.notices)]


def readme(product):
    """What a registry shows of the product. The MCP registry looks in it for the name it is listed under."""
    return (
        f"# {product.title}\n\n{product.summary}.\n\n`{product.name} demo` shows it without an account, "
        f"`{product.name} install` has an MCP client start it, and `{product.name} doctor` says what is missing.\n\n"
        f"<!-- mcp-name: {product.registry_name} -->\n"
    )


def pretty(body):
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def tar(contents):
    """What `cargo binstall` and people unpack."""
    name = contents.product.name
    entries = [contents.program(name), *contents.legal()]
    entries += [Entry(f"man/{page}", text) for page, text in contents.documents.pages.items()]
    for shell, text in contents.documents.completions.items():
        entries.append(Entry(f"completions/{name}.{shell}", text))
    if contents.target.is_linux:
        entries += [Entry(f"systemd/{unit.name}", unit.read_bytes()) for unit in UNITS]
    yield f"{contents.stem}.tar.gz", archive.compressed(archive.tar(entries, contents.stem))


# PyPI


def wheel(contents):
    """A wheel that puts the program beside the interpreter, and has its own name start it too."""
    product, target = contents.product, contents.target
    module = product.package.replace("-", "_")
    start, info = f"{module}-{product.version}", f"{module}-{product.version}.dist-info"
    tag = f"py3-none-{target.wheel}"
    entries = [
        contents.program(f"{start}.data/scripts/{contents.product.name}"),
        Entry(f"{module}/__init__.py", (HERE / "launcher.py").read_bytes()),
        Entry.text(f"{info}/METADATA", metadata(contents)),
        Entry.text(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: grantor\nRoot-Is-Purelib: false\nTag: {tag}\n"),
        Entry.text(f"{info}/entry_points.txt", f"[console_scripts]\n{product.package} = {module}:main\n"),
        *contents.legal(f"{info}/licenses/"),
    ]
    entries.append(Entry.text(f"{info}/RECORD", record(entries, f"{info}/RECORD")))
    yield f"{start}-{tag}.whl", archive.zipped(entries)


def metadata(contents):
    product = contents.product
    address = [f"Project-URL: Repository, {product.repository}"] if product.is_published else []
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {product.package}",
        f"Version: {product.version}",
        f"Summary: {product.summary}",
        f"Author: {product.author}",
        f"License-Expression: {product.licence}",
        *[f"License-File: {entry.path}" for entry in contents.legal()],
        "Requires-Python: >=3.9",
        *address,
        "Description-Content-Type: text/markdown",
    ]
    return "\n".join(lines) + "\n\n" + readme(product)


def record(entries, own):
    """The list of a wheel's files, each with its hash and length."""
    lines = []
    for entry in sorted(entries, key=lambda entry: entry.path):
        digest = base64.urlsafe_b64encode(hashlib.sha256(entry.contents).digest()).decode().rstrip("=")
        lines.append(f"{entry.path},sha256={digest},{len(entry.contents)}")
    return "\n".join([*lines, f"{own},,"]) + "\n"


# npm


def npm(contents):
    """The package of this platform, and once for all of them the one that people install, which brings it along."""
    product, target = contents.product, contents.target
    made = {target.npm(product): platform(contents)}
    if target is table.TARGETS[0]:
        made[product.package] = wrapper(contents)
    for name, entries in made.items():
        yield f"{name}-{product.version}.tgz", archive.compressed(archive.tar(entries, "package"))


def npm_about(product):
    about = {"version": product.version, "description": product.summary, "license": product.licence}
    if product.is_published:
        about["repository"] = {"type": "git", "url": f"git+{product.repository}.git"}
    return about | {"author": product.author}


def wrapper(contents):
    product = contents.product
    packages = {f"{one.node_os}-{one.node_cpu}": one for one in table.TARGETS}
    known = {key: {"name": one.npm(product), "file": f"bin/{product.name}"} for key, one in packages.items()}
    launcher = (HERE / "launcher.mjs").read_text().replace("{/* packages */}", json.dumps(known, indent=2))
    body = {
        "name": product.package,
        **npm_about(product),
        "mcpName": product.registry_name,
        "type": "module",
        "bin": {product.name: "bin/start.mjs", product.package: "bin/start.mjs"},
        "engines": {"node": ">=18"},
        "optionalDependencies": {one.npm(product): product.version for one in table.TARGETS},
    }
    start = Entry("bin/start.mjs", launcher.encode(), 0o755)
    legal = contents.legal()[:2]
    return [Entry.text("package.json", pretty(body)), start, Entry.text("README.md", readme(product)), *legal]


def platform(contents):
    product, target = contents.product, contents.target
    body = {
        "name": target.npm(product),
        **npm_about(product),
        "os": [target.node_os],
        "cpu": [target.node_cpu],
        **({"libc": ["glibc"]} if target.is_linux else {}),
        "preferUnplugged": True,
    }
    told = Entry.text("README.md", f"The program of `{product.package}` for {target.triple}.\n")
    return [Entry.text("package.json", pretty(body)), told, contents.program(f"bin/{contents.product.name}"), *contents.legal()]


# Bundles (MCPB)


def mcpb(contents):
    """A bundle that a client with a form installs. It names one platform, since it has one program."""
    product, target = contents.product, contents.target
    manifest = Entry.text("manifest.json", pretty(manifests_of.mcpb(product, target)))
    entries = [manifest, contents.program(f"server/{contents.product.name}"), *contents.legal()]
    yield f"{contents.stem}.mcpb", archive.zipped(entries)


# Debian


def debian(contents):
    """The tree of a Debian package, with what Debian's policy asks of one."""
    product, name = contents.product, contents.product.name
    shared = f"usr/share/doc/{name}"
    entries = [
        contents.program(f"usr/bin/{name}"),
        Entry.text(f"{shared}/copyright", copyright_of(contents)),
        Entry(f"{shared}/changelog.gz", archive.compressed(changelog(product).encode())),
        Entry(f"{shared}/THIRD-PARTY.txt.gz", archive.compressed(contents.notices.encode())),
    ]
    for page, text in contents.documents.pages.items():
        entries.append(Entry(f"usr/share/man/man1/{page}.gz", archive.compressed(text)))
    for shell, path in SHELLS.items():
        entries.append(Entry(path.format(name=name), contents.documents.completions[shell]))
    for unit in UNITS:
        entries.append(Entry(f"usr/lib/systemd/user/{unit.name}", unit.read_bytes()))
    for policy in sorted((table.ROOT / "policies" / "examples").glob("*.cedar")):
        entries.append(Entry(f"{shared}/examples/{policy.name}", policy.read_bytes()))
    size = sum(len(entry.contents) for entry in entries) // 1024
    sums = [f"{hashlib.md5(entry.contents).hexdigest()}  {entry.path}" for entry in entries]
    entries.append(Entry.text("DEBIAN/md5sums", "\n".join(sorted(sums, key=lambda line: line[34:])) + "\n"))
    entries.append(Entry.text("DEBIAN/control", control(contents, size)))
    return entries


def control(contents, size):
    product, target = contents.product, contents.target
    glibc = ".".join(map(str, table.GLIBC))
    address = [f"Homepage: {product.repository}"] if product.is_published else []
    lines = [
        f"Package: {product.name}",
        f"Version: {product.version}",
        f"Architecture: {target.debian}",
        f"Maintainer: {product.author} <{product.contact}>",
        f"Installed-Size: {size}",
        f"Depends: libc6 (>= {glibc})",
        "Recommends: ca-certificates",
        "Section: admin",
        "Priority: optional",
        *address,
        "Description: MCP server that grants access on request",
        *textwrap.wrap(f"{product.summary}.", 78, initial_indent=" ", subsequent_indent=" "),
        " .",
        " An AI assistant asks for a change; rules and a person decide about it, and it",
        " is sent once, read back and recorded. User units take back what was granted",
        " for a time: systemctl --user enable --now grantor-expire.timer, and loginctl",
        " enable-linger, without which they stop as their user logs out.",
    ]
    return "\n".join(lines) + "\n"


def changelog(product):
    stamp = email.utils.formatdate(archive.when())
    by = f"{product.author} <{product.contact}>"
    return f"{product.name} ({product.version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- {by}  {stamp}\n"


def copyright_of(contents):
    product = contents.product
    own = (table.ROOT / "LICENSE-MIT").read_text().strip()
    holder = re.search(r"Copyright.*", own)
    terms = "\n".join(f" {line}" if line else " ." for line in own.splitlines())
    source = product.repository if product.is_published else "not published"
    return (
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
        f"Upstream-Name: {product.title}\nSource: {source}\n\n"
        f"Files: *\nCopyright: {holder[0].removeprefix('Copyright').strip()}\nLicense: Expat or Apache-2.0\n"
        " What is built in is under the licences in THIRD-PARTY.txt.gz, in this folder.\n\n"
        f"License: Expat\n{terms}\n\n"
        "License: Apache-2.0\n On Debian systems it is in /usr/share/common-licenses/Apache-2.0.\n"
    )


# OCI


def oci(contents):
    """An image with the program, what it is linked to, certificates and time zones, and nothing else."""
    product, target = contents.product, contents.target
    layers = [image.base(contents.binary), [contents.program(image.PROGRAM), *contents.legal("usr/share/doc/grantor/")]]
    labels = {
        "io.modelcontextprotocol.server.name": product.registry_name,
        "org.opencontainers.image.title": product.title,
        "org.opencontainers.image.description": product.summary,
        "org.opencontainers.image.version": product.version,
        "org.opencontainers.image.licenses": product.licence,
        **({"org.opencontainers.image.source": product.repository} if product.is_published else {}),
    }
    yield f"{contents.stem}.oci.tar", archive.tar(image.layout(layers, labels, target.oci, product.version))
