"""Archives that are the same bytes for the same contents: sorted, owned by nobody in particular, of one time."""

import dataclasses
import gzip
import hashlib
import io
import os
import pathlib
import subprocess
import tarfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The earliest time that a zip can hold.
EARLIEST = 315532800


def when():
    """The time of everything that is packed: SOURCE_DATE_EPOCH, or that of the last commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        command = ["git", "log", "-1", "--format=%ct"]
        given = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return max(int(given), EARLIEST)


@dataclasses.dataclass
class Entry:
    """A file to be packed, or a folder, which has no contents."""

    path: str
    contents: bytes | None
    mode: int = 0o644
    owner: int = 0

    @staticmethod
    def text(path, text):
        return Entry(path, text.encode())

    @staticmethod
    def program(path, file):
        return Entry(path, pathlib.Path(file).read_bytes(), 0o755)

    @staticmethod
    def folder(path, mode=0o755, owner=0):
        return Entry(path, None, mode, owner)


def tar(entries, folder=""):
    """An uncompressed tar of the entries below a folder, and every folder that they are in."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in with_folders(entries, folder):
            info = tarfile.TarInfo(entry.path)
            info.mode, info.mtime = entry.mode, when()
            info.uid = info.gid = entry.owner
            if entry.contents is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                info.size = len(entry.contents)
                archive.addfile(info, io.BytesIO(entry.contents))
    return out.getvalue()


def with_folders(entries, folder=""):
    """The entries in order, with the folders above them that are not entries themselves."""
    base = f"{folder}/" if folder else ""
    all_of_them = {base + entry.path: dataclasses.replace(entry, path=base + entry.path) for entry in entries}
    for path in list(all_of_them):
        for parent in pathlib.PurePosixPath(path).parents:
            if str(parent) != ".":
                all_of_them.setdefault(str(parent), Entry.folder(str(parent)))
    return [all_of_them[path] for path in sorted(all_of_them)]


def compressed(contents):
    """The same in gzip, without a name or a time of its own."""
    return gzip.compress(contents, compresslevel=9, mtime=0)


def zipped(entries):
    """A zip of the entries, which keeps who may execute them."""
    out = io.BytesIO()
    stamp = time.gmtime(when())[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for entry in sorted(entries, key=lambda entry: entry.path):
            info = zipfile.ZipInfo(entry.path, stamp)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # Unix, whatever this runs on: only then the mode counts.
            info.external_attr = (0o100000 | entry.mode) << 16
            archive.writestr(info, entry.contents)
    return out.getvalue()


def sha256(contents):
    return hashlib.sha256(contents).hexdigest()


def unpack(entries, folder):
    """Writes the entries below a folder of this machine."""
    for entry in with_folders(entries):
        path = folder / entry.path
        if entry.contents is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.write_bytes(entry.contents)
        path.chmod(entry.mode)
