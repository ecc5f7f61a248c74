"""An OCI image, made without a daemon: layers are tars, and what describes them is JSON."""

import datetime
import json
import pathlib
import re

import archive
import tools
from archive import Entry

PROGRAM = "usr/bin/grantor"
USER, HOME = 65532, "home/grantor"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
ZONES = pathlib.Path("/usr/share/zoneinfo")
# What the Debian packages that this takes files from say of their licences.
NOTICES = ("libc6", "ca-certificates", "tzdata")


def base(binary):
    """What the program needs around it: libraries of this machine, certificates, zones, one user and a home."""
    told = tools.run("ldd", binary)
    paths = sorted(set(re.findall(r"(/\S+) \(0x", told)))
    entries = [Entry.program(path.lstrip("/"), path) for path in paths]
    entries.append(Entry(CERTIFICATES, pathlib.Path("/", CERTIFICATES).read_bytes()))
    entries += [Entry(str(path)[1:], path.read_bytes()) for path in zones()]
    for package in NOTICES:
        path = f"usr/share/doc/{package}/copyright"
        entries.append(Entry(path, pathlib.Path("/", path).read_bytes()))
    user = f"grantor:x:{USER}:{USER}:Grantor:/{HOME}:/sbin/nologin\n"
    entries.append(Entry.text("etc/passwd", f"root:x:0:0:root:/root:/sbin/nologin\n{user}"))
    entries.append(Entry.text("etc/group", f"root:x:0:\ngrantor:x:{USER}:\n"))
    # A volume over one of these gets its owner: configuration, and the ledger.
    for folder in ("", "/.config", "/.config/grantor", "/.local", "/.local/state", "/.local/state/grantor"):
        entries.append(Entry.folder(HOME + folder, 0o700, USER))
    entries.append(Entry.folder("tmp", 0o1777))
    return entries


def zones():
    """Time zones, without the copies under other names that nothing asks for."""
    for path in sorted(ZONES.rglob("*")):
        if path.is_file() and path.relative_to(ZONES).parts[0] not in ("posix", "right"):
            yield path


def layout(layers, labels, architecture, tag):
    """The files of an image layout that holds one image."""
    stamp = datetime.datetime.fromtimestamp(archive.when(), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    tars = [archive.tar(layer) for layer in layers]
    packed = [archive.compressed(tar) for tar in tars]
    config = {
        "created": stamp,
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "Env": ["PATH=/usr/bin", f"HOME=/{HOME}"],
            "Entrypoint": [f"/{PROGRAM}"],
            "WorkingDir": f"/{HOME}",
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{archive.sha256(tar)}" for tar in tars]},
        "history": [{"created": stamp, "created_by": "packaging/build"} for _ in tars],
    }
    configured = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described("config.v1", configured),
        "layers": [described("layer.v1.tar+gzip", one) for one in packed],
        "annotations": labels,
    }
    manifested = json.dumps(manifest).encode()
    listed = described("manifest.v1", manifested)
    listed |= {
        "platform": {"os": "linux", "architecture": architecture},
        "annotations": {"org.opencontainers.image.ref.name": tag},
    }
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [listed]}
    blobs = [Entry(f"blobs/sha256/{archive.sha256(one)}", one) for one in [configured, manifested, *packed]]
    files = [Entry.text("oci-layout", '{"imageLayoutVersion": "1.0.0"}'), Entry.text("index.json", json.dumps(index))]
    return [*files, *blobs]


def described(kind, contents):
    """A blob as others refer to it."""
    # Layers and configurations have a suffix of their own; the manifest's is `+json` like the configuration's.
    suffix = "" if kind.endswith("gzip") else "+json"
    digest = f"sha256:{archive.sha256(contents)}"
    return {"mediaType": f"application/vnd.oci.image.{kind}{suffix}", "digest": digest, "size": len(contents)}
