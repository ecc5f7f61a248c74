"""What is tried of each form: it is installed as its users install it, into a place that has nothing else."""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import tarfile
import tomllib
import zlib

import notices
import product as table
import tools
from tools import Failed, run

HERE = pathlib.Path(__file__).resolve().parent
# An address such as a public repository has, to see what manifests would say there.
ELSEWHERE = "https://github.com/example/grantor"
TARGET = table.target(tools.host())


@dataclasses.dataclass
class Trial:
    """A form at work: the product, the folder of what was built, and one that is empty."""

    product: table.Product
    built: pathlib.Path
    folder: pathlib.Path

    @property
    def stem(self):
        return f"{self.product.name}-{self.product.version}-{TARGET.triple}"

    def file(self, name):
        path = self.built / name
        if not path.exists():
            raise Failed(f"{path} is not there: packaging/build makes it")
        return path

    def home(self, name="home"):
        """An environment with nothing in it but a path and an empty home."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        return {"PATH": "/usr/bin:/bin", "HOME": str(home)}

    def works(self, *command, env=None):
        """Has the program tell its version and its story, and a client use it."""
        env = env or self.home()
        version = run(*command, "--version", env=env).split()[-1]
        expect(version == self.product.version, f"it says that it is version {version}")
        run(*command, "demo", env=env)
        self.shakes_hands([*command, "--sandbox"], env)

    def shakes_hands(self, command, env):
        python = tools.python("check") / "python"
        run(python, HERE / "handshake.py", self.product.version, len(table.tools()), *command, env=env)


def expect(is_so, otherwise):
    if not is_so:
        raise Failed(otherwise)


def validator(name):
    return tools.python("check") / name


# Manifests and workflows


def manifests(trial):
    """As they are committed, and as they would be in a public repository."""
    run(HERE / "manifests", "--check")
    elsewhere = trial.folder / "elsewhere"
    run(HERE / "manifests", "--into", elsewhere, "--repository", ELSEWHERE)
    shutil.copytree(table.ROOT / "skills", elsewhere / "skills")
    schema = registry_schema()
    env = trial.home() | {"GEMINI_CLI_TRUST_WORKSPACE": "true"}
    for folder in (table.ROOT, elsewhere):
        run(validator("check-jsonschema"), "--schemafile", schema, folder / "server.json")
        run(tools.npm("check") / "mcpb", "validate", folder / "packaging" / "mcpb.json")
        run(tools.npm("check") / "claude", "plugin", "validate", folder, env=env)
        run(tools.npm("check") / "gemini", "extensions", "validate", folder, env=env)
    bundle, told = trial.file(f"{trial.stem}.mcpb"), trial.folder / "told"
    told.mkdir()
    shutil.copy(bundle, told)
    run(HERE / "manifests", "--bundles", told)
    listed = told / "server.json"
    run(validator("check-jsonschema"), "--schemafile", schema, listed)
    [entry] = [one for one in json.loads(listed.read_text())["packages"] if one["registryType"] == "mcpb"]
    expect(entry["fileSha256"] == sha256(bundle), "server.json has another bundle's hash")
    return "server.json by the schema of 2025-12-11; MCPB, Claude Code and Gemini CLI by their own validators"


def registry_schema():
    """The registry's schema, as skillsaw carries it."""
    where = "import skillsaw, pathlib; print(pathlib.Path(skillsaw.__file__).parent)"
    folder = pathlib.Path(run(tools.python("check") / "python", "-c", where).strip())
    schema = folder / "schemas" / "mcp_registry" / "v2025_12_11" / "server.schema.json"
    named = json.loads((table.ROOT / "server.json").read_text())["$schema"]
    expect(json.loads(schema.read_text())["$id"] == named, f"server.json names {named}")
    return schema


def workflows(_trial):
    run(validator("zizmor"), "--offline", "--persona", "pedantic", "--strict-collection", table.ROOT / ".github")
    return "no finding of zizmor, offline and pedantic"


# Clients that take the repository itself


def plugin(trial):
    """Claude Code installs the plugin from the repository, and starts the program on its path."""
    env, claude = with_program(trial), tools.npm("check") / "claude"
    run(claude, "plugin", "marketplace", "add", table.ROOT, env=env)
    run(claude, "plugin", "install", f"{trial.product.name}@{trial.product.name}", env=env)
    told = run(claude, "mcp", "list", env=env)
    expect("✔ Connected" in told, told)
    return "Claude Code installs it, and its server is connected"


def extension(trial):
    """Gemini CLI installs the extension, and starts the program on its path."""
    env = with_program(trial) | {"GEMINI_CLI_TRUST_WORKSPACE": "true"}
    copy, gemini = trial.folder / "extension", tools.npm("check") / "gemini"
    copy.mkdir()
    shutil.copy(table.ROOT / "gemini-extension.json", copy)
    shutil.copytree(table.ROOT / "skills", copy / "skills")
    run(gemini, "extensions", "install", "--consent", copy, env=env, cwd=trial.folder, input="y\n" * 9)
    listed = subprocess.run([gemini, "mcp", "list"], env=env, cwd=trial.folder, capture_output=True, text=True)
    told = listed.stdout + listed.stderr
    expect("grantor (stdio) - Connected" in " ".join(told.split()), told)
    return "Gemini CLI installs it, and its server is connected"


def with_program(trial):
    """An environment whose path has the program."""
    folder = unpacked(trial)
    env = trial.home()
    return env | {"PATH": f"{folder}:{pathlib.Path(shutil.which('node')).parent}:{env['PATH']}"}


# Forms


def unpacked(trial):
    folder = trial.folder / "tar"
    with tarfile.open(trial.file(f"{trial.stem}.tar.gz")) as archive:
        archive.extractall(folder, filter="data")
    return folder / trial.stem


def tar(trial):
    """At the place, and under the names, at which `cargo binstall` looks."""
    wanted = tomllib.loads((table.ROOT / "Cargo.toml").read_text())["package"]["metadata"]["binstall"]
    product = trial.product
    words = {"repo": product.repository, "version": product.version, "name": product.name}
    words |= {"target": TARGET.triple, "bin": product.name, "binary-ext": ""}
    for word, value in words.items():
        wanted = {key: text.replace(f"{{ {word} }}", value) for key, text in wanted.items()}
    expect(wanted["pkg-url"].endswith(f"/v{product.version}/{trial.stem}.tar.gz"), wanted["pkg-url"])
    folder = unpacked(trial)
    expect((folder.parent / wanted["bin-dir"]).is_file(), f"nothing at {wanted['bin-dir']}")
    trial.works(folder / product.name)
    return "unpacked where cargo binstall looks for it, and used by a client"


def wheel(trial):
    product = trial.product
    module = product.package.replace("-", "_")
    file = trial.file(f"{module}-{product.version}-py3-none-{TARGET.wheel}.whl")
    # It compares every file with the hash that the wheel has for it.
    run(validator("wheel"), "unpack", "--dest", trial.folder, file)
    run(validator("twine"), "check", "--strict", file)
    place = trial.folder / "venv"
    run("python3", "-m", "venv", place)
    run(place / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", file)
    trial.works(place / "bin" / product.name)
    trial.works(place / "bin" / product.package)
    env = trial.home() | {"UV_OFFLINE": "1"}
    command = [validator("uvx"), "--quiet", "--offline", "--from", file, product.package]
    trial.shakes_hands([*command, "--sandbox"], env)
    return "installed by pip into an empty environment, started by uvx, and used by a client"


def npm(trial):
    product, place = trial.product, trial.folder / "npm"
    place.mkdir()
    files = [trial.file(f"{name}-{product.version}.tgz") for name in (product.package, TARGET.npm(product))]
    env = trial.home() | {"npm_config_offline": "true", "npm_config_update_notifier": "false"}
    env["PATH"] = f"{pathlib.Path(shutil.which('node')).parent}:{env['PATH']}"
    run("npm", "install", "--offline", "--no-audit", "--no-fund", "--prefix", place, *files, env=env)
    programs = place / "node_modules" / ".bin"
    trial.works(programs / product.name, env=env)
    command = ["npx", "--offline", "--prefix", place, product.package]
    trial.shakes_hands([*command, "--sandbox"], env)
    shutil.rmtree(place / "node_modules" / TARGET.npm(product))
    told = subprocess.run([programs / product.name], env=env, capture_output=True, text=True)
    expect(told.returncode == 1 and "is not installed" in told.stderr, f"without its program: {told.stderr}")
    return "installed by npm without a network, started by npx, and used by a client"


def mcpb(trial):
    """As a client reads a bundle: nothing filled in, and what five vendors need."""
    mcpb, place = tools.npm("check") / "mcpb", trial.folder / "bundle"
    run(mcpb, "unpack", trial.file(f"{trial.stem}.mcpb"), place)
    run(mcpb, "validate", place / "manifest.json")
    bare = configured(place, {})
    trial.works(bare["command"])
    env = trial.home("bare") | bare["env"]
    told = subprocess.run([bare["command"], "doctor"], env=env, capture_output=True, text=True)
    said = told.stdout + told.stderr
    bare_vendors = said.count(" not configured; needs ")
    expect(bare_vendors == len(table.facts()["vendors"]) and "0 wrong" in said and "${" not in said, said)
    with fake_vendors(bare["command"], trial.home("vendors")) as vendors:
        filled = configured(place, {name.lower(): value for name, value in vendors.items()})
        trial.shakes_hands([filled["command"], *filled["args"]], trial.home("filled") | filled["env"])
    return "unpacked and filled in as a client does, with nothing and with five vendors"


def configured(place, answers):
    """What a client starts, given what its person filled in."""
    script = (
        "import { getMcpConfigForManifest } from '@anthropic-ai/mcpb';"
        "import { readFileSync } from 'node:fs';"
        "const [place, answers] = process.argv.slice(1);"
        "const manifest = JSON.parse(readFileSync(`${place}/manifest.json`));"
        "const options = { manifest, extensionPath: place, systemDirs: {}, userConfig: JSON.parse(answers) };"
        "console.log(JSON.stringify(await getMcpConfigForManifest({ ...options, pathSeparator: '/' })));"
    )
    modules = tools.npm("check").parent
    command = ["node", "--input-type=module", "-e", script, "--", place, json.dumps(answers)]
    return json.loads(run(*command, cwd=modules))


@contextlib.contextmanager
def fake_vendors(program, env):
    """The settings of five vendors that answer for as long as this lasts."""
    with subprocess.Popen([program, "sandbox"], env=env, stdout=subprocess.PIPE, text=True) as child:
        try:
            found = {}
            while "CENTRASITE_PASSWORD" not in found:
                line = child.stdout.readline()
                expect(line, "the fake vendors do not start")
                found |= dict(word.split("=", 1) for word in shlex.split(line, comments=True) if "=" in word)
            yield {name.removesuffix("_FILE"): pasted(name, value) for name, value in found.items()}
        finally:
            child.terminate()


def pasted(name, value):
    """What a person puts into a field of one line, where a file holds the value."""
    return pathlib.Path(value).read_text().strip().replace("\n", " ") if name.endswith("_FILE") else value


def deb(trial):
    product, root = trial.product, trial.folder / "root"
    file = trial.file(f"{product.name}_{product.version}_{TARGET.debian}.deb")
    for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "etc/dpkg"):
        (root / folder).mkdir(parents=True)
    for name in ("status", "available"):
        (root / "var" / "lib" / "dpkg" / name).touch()
    # There is no libc in an empty root; the program is then started from outside it.
    run("dpkg", f"--root={root}", "--force-depends", "--install", file)
    trial.works(root / "usr" / "bin" / product.name)
    run("lintian", "--fail-on", "error,warning", file, env=os.environ | {"LC_ALL": "C.UTF-8"})
    units = sorted((root / "usr" / "lib" / "systemd" / "user").iterdir())
    verified(units, root / "usr" / "bin" / product.name, trial.folder)
    pages = sorted((root / "usr" / "share" / "man" / "man1").iterdir())
    for page in pages:
        readable(page)
    return f"installed by dpkg into an empty root and used by a client; lintian; {len(units)} units, {len(pages)} pages"


def verified(units, program, folder):
    """Has systemd check units as it would start them, with the program where this machine has it."""
    copies = folder / "units"
    copies.mkdir()
    for unit in units:
        (copies / unit.name).write_text(unit.read_text().replace("/usr/bin/grantor", str(program)))
    env = os.environ | {"XDG_RUNTIME_DIR": str(folder), "SYSTEMD_UNIT_PATH": f"{copies}:"}
    copied = sorted(copies.iterdir())
    done = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "verify", *copied], env=env, capture_output=True, text=True
    )
    expect(done.returncode == 0 and not done.stderr, done.stdout + done.stderr)


def readable(page):
    """Has man read a page, which tells on stderr what it cannot."""
    command = ["man", "--warnings", "--local-file", page]
    env = os.environ | {"LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "100"}
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    expect(done.returncode == 0 and done.stdout and not done.stderr, f"{page.name}: {done.stderr}")


def oci(trial):
    product, layout, bundle = trial.product, trial.folder / "layout", trial.folder / "image"
    with tarfile.open(trial.file(f"{trial.stem}.oci.tar")) as archive:
        archive.extractall(layout, filter="data")
    run("umoci", "unpack", "--image", f"{layout}:{product.version}", bundle)
    config = json.loads((bundle / "config.json").read_text())
    expect(config["process"]["user"] == {"uid": 65532, "gid": 65532}, f"user {config['process']['user']}")
    label = config["annotations"].get("io.modelcontextprotocol.server.name")
    expect(label == product.registry_name, f"it is labelled {label}")
    command = ["unshare", "--mount", "--pid", "--fork", HERE / "in-image", bundle / "rootfs"]
    command += config["process"]["args"]
    env = dict(variable.split("=", 1) for variable in config["process"]["env"])
    # What starts it is outside of the image.
    env["PATH"] += ":/bin:/usr/sbin:/sbin"
    trial.works(*command, env=env)
    zone = bundle / "rootfs" / "tmp" / "zone.toml"
    zone.write_text('[grantor]\ntime_zone = "Europe/Berlin"\n')
    run(*command, "--sandbox", "--config", f"/tmp/{zone.name}", "tools", env=env)
    return "unpacked by umoci, started in it as user 65532, and used by a client"


def sbom(trial):
    """Valid, and it has what is in the program, which says so of itself."""
    file = trial.file(f"{trial.stem}.cdx.json")
    script = (
        "import sys; from cyclonedx.schema import SchemaVersion;"
        "from cyclonedx.validation.json import JsonStrictValidator;"
        "trouble = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read());"
        "sys.exit(str(trouble) if trouble else 0)"
    )
    run(tools.python("check") / "python", "-c", script, file)
    listed = {(one["name"], one["version"]) for one in json.loads(file.read_text())["components"]}
    section = trial.folder / "dependencies"
    program = unpacked(trial) / trial.product.name
    run("objcopy", "--dump-section", f".dep-v0={section}", program, trial.folder / "copy")
    built = json.loads(zlib.decompress(section.read_bytes()))["packages"]
    own = {(one["name"], one["version"]) for one in built if one.get("kind", "runtime") == "runtime"}
    own.discard((trial.product.name, trial.product.version))
    expect(own and own <= listed, f"in the program, and not in the list: {sorted(own - listed)}")
    named = {(one["name"], one["version"]) for one in notices.packages(TARGET)}
    return f"CycloneDX 1.5; {len(own)} crates in the program, all listed; licences of {len(named)}"


def again(trial):
    """Every form made anew, by somebody with another umask and another clock, is the same."""
    program = unpacked(trial) / trial.product.name
    env = os.environ | {"TZ": "Pacific/Auckland", "LC_ALL": "C"}
    run(HERE / "build", "--binary", program, "--out", trial.folder / "again", env=env, umask=0o077)
    made = sorted((trial.folder / "again").iterdir())
    differ = [one.name for one in made if sha256(one) != sha256(trial.file(one.name))]
    expect(made and not differ, f"not the same: {', '.join(differ)}")
    return f"{len(made)} files are the same bytes"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


ALL = {
    "manifests": manifests,
    "workflows": workflows,
    "tar": tar,
    "plugin": plugin,
    "extension": extension,
    "wheel": wheel,
    "npm": npm,
    "mcpb": mcpb,
    "deb": deb,
    "oci": oci,
    "sbom": sbom,
    "again": again,
}
