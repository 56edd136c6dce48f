"""A multipart/form-data body that is read from its files while it is sent, and can be sent again."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from service.client.errors import PictureChanged

Content = Path | bytes
"""A picture: a file to read, or its bytes."""
_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".avif": "image/avif",
}
_UNSAFE = re.compile(r'[\r\n"]')


class MultipartBody:
    """Part `request` (JSON), then one part `field` per picture, named by its custom id. Iterating reads the files."""

    def __init__(self, request: Mapping[str, JsonValue], field: str, pictures: Mapping[str, Content]) -> None:
        self._boundary = secrets.token_hex(16)
        self._pictures = pictures
        opening = {"Content-Disposition": 'form-data; name="request"', "Content-Type": "application/json"}
        self._request = self._header(opening) + json.dumps(request, allow_nan=False).encode() + b"\r\n"
        self._parts = [
            (
                name,
                self._header(
                    {
                        "Content-Disposition": f'form-data; name="{field}"; filename="{_escaped(name)}"',
                        "Content-Type": _type(name),
                    }
                ),
                len(content) if isinstance(content, bytes) else content.stat().st_size,
            )
            for name, content in pictures.items()
        ]
        self._end = f"--{self._boundary}--\r\n".encode()

    @property
    def headers(self) -> dict[str, str]:
        length = len(self._request) + sum(len(header) + size + 2 for _, header, size in self._parts) + len(self._end)
        return {"Content-Type": f"multipart/form-data; boundary={self._boundary}", "Content-Length": str(length)}

    def __iter__(self) -> Iterator[bytes]:
        yield self._request
        for name, header, size in self._parts:
            source = self._pictures[name]
            content = source if isinstance(source, bytes) else source.read_bytes()
            if len(content) != size:
                raise PictureChanged(name)
            yield header + content + b"\r\n"
        yield self._end

    def _header(self, fields: Mapping[str, str]) -> bytes:
        lines = [f"--{self._boundary}", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        return "\r\n".join(lines).encode()


def _escaped(name: str) -> str:
    """As browsers write file names: only quotes and line ends are escaped."""
    return _UNSAFE.sub(lambda match: f"%{ord(match.group()):02X}", name)


def _type(name: str) -> str:
    dot = name.rfind(".")
    return _TYPES.get(name[dot:].lower(), "application/octet-stream") if dot >= 0 else "application/octet-stream"
