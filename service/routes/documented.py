"""Pieces of the OpenAPI document that FastAPI cannot see, because bodies are read as streams and problems are one shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service import schemas, view_schemas
from service.accounts import wire
from service.names import EXTENSIONS
from service.problems import PROBLEM_TYPE

BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
RESULT_TYPES = tuple(f"image/{form}" for form in EXTENSIONS)
REF = "#/components/schemas/{model}"
_ADDED = (
    schemas.AugmentRequest,
    schemas.AugmentImageRequest,
    schemas.BatchRequest,
    schemas.BatchImagesRequest,
    schemas.ValidateRequest,
    schemas.SaveRecipeRequest,
    schemas.ImportRequest,
    wire.KeyRequest,
    wire.TokenRequest,
    wire.TenantRequest,
    wire.TenantChange,
    view_schemas.OutputView,
    view_schemas.Problem,
)
"""Models that routes refer to by name, but never return or take as FastAPI knows it."""

PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "`wait=SECONDS`: answer when it is done, or after that time (RFC 7240).",
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Repeating a submit with the same key and the same content gives the first batch again.",
}

CACHE_CONTROL = {
    "name": "Cache-Control",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "`no-cache`: make the results anew, whether you have them already or not (RFC 9111).",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Documentation of the problems a route may answer with; those that any route may are always among them."""
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _REASONS[status], "content": content}
        for status in sorted({401, 403, 422, 429, 500, 503, *statuses})
    }


_REASONS = {
    400: "The request is not of the documented form.",
    401: "The key or token is missing or not valid.",
    403: "The caller may not do this.",
    404: "There is no such thing.",
    408: "The body arrived too slowly.",
    409: "The state does not allow it now.",
    410: "It is no longer there.",
    413: "The body, or a part of it, is too large.",
    415: "The bytes are no picture of a supported format.",
    416: "The range begins behind the last byte.",
    422: "A field, the recipe, the labels or the picture is refused.",
    429: "The tenant has as much under way, today or stored as it may, or asks too often.",
    500: "Something went wrong on our side.",
    503: "A part of the service does not answer.",
    507: "There is no room for more pictures.",
}
SUBMIT_STATUSES = (400, 408, 409, 410, 413, 415, 429, 507)


def headers_of(*names: str) -> dict[str, Any]:
    """Documentation of an answer's headers."""
    return {name: {"schema": {"type": "string"}} for name in names}


def described(statuses: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Documentation of JSON answers that have no model."""
    content = {"application/json": {"schema": {"type": "object"}}}
    return {status: {"description": text, "content": content} for status, text in statuses.items()}


_BYTES = {"image/*": {"schema": BINARY}}
CONTENT_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes.", "content": _BYTES, "headers": headers_of("ETag", "Accept-Ranges")},
    206: {"description": "The asked range of them.", "content": _BYTES, "headers": headers_of("ETag", "Content-Range")},
    304: {"description": "They are the ones that the caller has."},
    307: {"description": "They are in S3, at a link that holds for five minutes.", "headers": headers_of("Location")},
}
CONTENT_PARAMETERS = [
    {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}
    for name in ("Range", "If-None-Match", "If-Range")
]


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """A reference to one of our models."""
    return {"$ref": REF.format(model=model.__name__)}


def multipart_schema(request: type[BaseModel], files: Mapping[str, Any]) -> dict[str, Any]:
    """A multipart body: part `request` with the JSON of a model, and parts with files."""
    return {"type": "object", "properties": {"request": schema_of(request), **files}, "required": ["request"]}


def body_of(forms: Mapping[str, Any]) -> dict[str, Any]:
    """A request body in one of several media types."""
    return {"required": True, "content": {media_type: {"schema": schema} for media_type, schema in forms.items()}}


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document with our models and our one form of problem."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, summary=app.summary
    )
    added = models_json_schema([(model, "validation") for model in _ADDED], ref_template=REF)[1]
    components = document.setdefault("components", {})
    models = components.setdefault("schemas", {})
    models.update(added.get("$defs", {}))
    for unused in ("HTTPValidationError", "ValidationError"):
        models.pop(unused, None)
    for operation in (operation for path in document["paths"].values() for operation in path.values()):
        if "application/json" in operation["responses"].get("422", {}).get("content", {}):
            operation["responses"] |= {"422": problems()[422]}  # FastAPI's own form, which is never sent
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a token (JWT)."},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    document["security"] = [{}, {"bearer": []}, {"key": []}]
    return document
