"""What packages and manifests say of the product. It stands once, in Cargo.toml, and is read here."""

import dataclasses
import json
import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
# A top-level domain that is reserved for names that lead nowhere.
NOWHERE = "https://not-published.invalid/"
LONGEST_SUMMARY = 100


@dataclasses.dataclass(frozen=True)
class Product:
    """The product, under the names that registries know it by."""

    name: str
    title: str
    package: str
    version: str
    summary: str
    licence: str
    repository: str
    images: str
    author: str
    rust: str

    @property
    def place(self):
        """Owner and name of the public repository; None where there is none."""
        found = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+)", self.repository)
        return found and found.groups()

    @property
    def owner(self):
        return self.place and self.place[0]

    @property
    def is_published(self):
        return self.place is not None

    @property
    def registry_name(self):
        """Its name in the MCP registry, which wants the owner's place backwards."""
        place = f"io.github.{self.owner}" if self.is_published else "invalid.not-published"
        return f"{place}/{self.name}"

    @property
    def image(self):
        """The OCI image, without its tag."""
        if not self.is_published:
            return f"not-published.invalid/{self.name}"
        return f"{self.images}/{'/'.join(self.place)}".lower()

    @property
    def contact(self):
        host = "users.noreply.github.com" if self.is_published else "not-published.invalid"
        return f"{self.owner or self.name}@{host}"

    @property
    def command(self):
        """What starts it in a client that did not install it: the installed program, until npm has it."""
        return ["npx", "-y", f"{self.package}@{self.version}"] if self.is_published else [self.name]


@dataclasses.dataclass(frozen=True)
class Target:
    """A platform that there are packages for, in the words of each registry."""

    triple: str
    node_os: str
    node_cpu: str
    wheel: str
    debian: str | None = None
    oci: str | None = None

    @property
    def is_linux(self):
        return self.node_os == "linux"

    def npm(self, product):
        """The npm package that carries the program for this platform."""
        return f"{product.package}-{self.node_os}-{self.node_cpu}"


# The oldest glibc on which Linux builds start. Rust itself needs this one.
GLIBC = (2, 17)
TARGETS = [
    Target("x86_64-unknown-linux-gnu", "linux", "x64", "manylinux_2_17_x86_64", "amd64", "amd64"),
    Target("aarch64-unknown-linux-gnu", "linux", "arm64", "manylinux_2_17_aarch64", "arm64", "arm64"),
    Target("x86_64-apple-darwin", "darwin", "x64", "macosx_11_0_x86_64"),
    Target("aarch64-apple-darwin", "darwin", "arm64", "macosx_11_0_arm64"),
]


def load(repository=None):
    """The product as Cargo.toml has it, or as it would be in another repository."""
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
    own = package["metadata"]["product"]
    if len(own["summary"]) > LONGEST_SUMMARY:
        raise SystemExit(f"Cargo.toml: summary has {len(own['summary'])} characters, of {LONGEST_SUMMARY}")
    product = Product(
        name=package["name"],
        title=own["title"],
        package=own["package"],
        version=package["version"],
        summary=own["summary"],
        licence=package["license"],
        repository=repository or package["repository"],
        images=own["images"],
        author=package["authors"][0],
        rust=package["rust-version"],
    )
    if not product.is_published and not product.repository.startswith(NOWHERE):
        raise SystemExit(f"{product.repository} is no repository that owner and names can be read from")
    return product


def facts():
    """What the program itself says of its settings: tests keep it as the code has it."""
    return json.loads((ROOT / "packaging" / "facts.json").read_text())


def tools():
    """Name and title of every tool, as served."""
    served = [json.loads(path.read_text()) for path in sorted((ROOT / "tool-schemas").glob("*/*.json"))]
    return [{"name": tool["name"], "description": tool["title"]} for tool in served]


def target(triple):
    for one in TARGETS:
        if one.triple == triple:
            return one
    raise SystemExit(f"no target {triple}; there are {', '.join(one.triple for one in TARGETS)}")
