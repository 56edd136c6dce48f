"""Archives as they are sent: well made, and made to do harm."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping


def zip_of(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


def nameless_zip(content: bytes) -> bytes:
    """A zip whose directory has one member with a name of no bytes."""
    made = bytearray(zip_of({"n": content}))
    directory = made.rindex(b"PK\x01\x02")
    made[directory + 28], made[directory + 30] = 0, 1  # the name's byte belongs to the extra field now
    return bytes(made)


def tar_of(members: Mapping[str, bytes], mode: str = "w") -> bytes:
    """A tar (`w`) or tar.gz (`w:gz`) of these members."""
    return tar_with([(tarfile.TarInfo(name), content) for name, content in members.items()], mode)


def tar_with(members: list[tuple[tarfile.TarInfo, bytes]], mode: str = "w") -> bytes:
    """A tar of headers as they are given, each with its content."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]  # mode is a plain string
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def tar_link(name: str, target: str, kind: bytes) -> bytes:
    """A tar with one link or device."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return tar_with([(info, b"")])


def zip_link(name: str, target: str) -> bytes:
    """A zip with one symbolic link."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = 0o120777 << 16
        archive.writestr(info, target)
    return out.getvalue()


def encrypted_zip(name: str) -> bytes:
    """A zip whose one member claims to be encrypted."""
    content = bytearray(zip_of({name: b"secret" * 10}))
    content[6] |= 1
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 8] |= 1
    return bytes(content)


def overlapping_zip(content: bytes, copies: int) -> bytes:
    """A zip whose directory names the same bytes many times."""
    whole = zip_of({"a.jpg": content}, zipfile.ZIP_STORED)
    directory, end = whole.rindex(b"PK\x01\x02"), whole.rindex(b"PK\x05\x06")
    entry = whole[directory:end]
    entries = b"".join(entry.replace(b"a.jpg", f"{number:05}".encode()) for number in range(copies))
    last = bytearray(whole[end:])
    last[8:12] = copies.to_bytes(2, "little") * 2
    last[12:16] = len(entries).to_bytes(4, "little")
    return whole[:directory] + entries + bytes(last)
