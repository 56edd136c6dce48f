"""Requests of the REST contract, as they are on the wire."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic import ValidationError as FieldErrors
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from batching.items import Priority
from kernels.documents import Document
from kernels.labels import Labels
from kernels.params import SizeField
from kernels.recipe import Output as OutputForm
from kernels.recipe import Recipe
from kernels.rng import MAX_SEED
from service.errors import ValidationError
from service.importing.forms import Form
from service.uploads.json_text import escaped

MAX_CUSTOM_ID_BYTES = 4096

Asked = TypeVar("Asked", bound="Request")


class _Documented:
    """A field that is checked elsewhere, with better errors, and only documented by a model here."""

    def __init__(self, *models: Any) -> None:
        self.models = models

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.any_schema()

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        forms = [
            handler(core_schema.none_schema() if model is None else getattr(model, "__pydantic_core_schema__", model))
            for model in self.models
        ]
        return forms[0] if len(forms) == 1 else {"anyOf": forms}


class _Shown:
    """A field that is checked elsewhere beyond its being an object, and documented by a model here."""

    def __init__(self, model: Any, *, by_name: bool) -> None:
        self.model, self.by_name = model, by_name

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        one = handler(self.model.__pydantic_core_schema__)
        return {"anyOf": [{"type": "object", "additionalProperties": one} if self.by_name else one, {"type": "null"}]}


RecipeName = Annotated[str, Field(description="Name of a stored or ready recipe, the newest version or `NAME@VERSION`.")]
RecipeField = Annotated[Any, _Documented(Recipe, TypeAdapter(RecipeName).core_schema)]
LabelsField = Annotated[dict[str, Any] | None, _Shown(Labels, by_name=False)]
LabelsByName = Annotated[dict[str, Any] | None, _Shown(Labels, by_name=True)]
OutputField = Annotated[Any, _Documented(OutputForm, None)]
CustomId = Annotated[str, Field(min_length=1, max_length=MAX_CUSTOM_ID_BYTES)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED, strict=True)]
Variants = Annotated[int, Field(ge=1, strict=True)]
Group = Annotated[str, Field(min_length=1, max_length=255)]


class Request(Document):
    """Parent of the requests: frozen, unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class AugmentRequest(Request):
    """What to make of one picture."""

    recipe: RecipeField
    """Steps and the form of the output."""
    seed: Seed | None = None
    """Seed of every drawn number; a random one where none is given, stated in the answer."""
    variants: Variants = 1
    """How many results to make of the picture."""
    custom_id: CustomId | None = None
    """Your name for the picture; its draws depend on it. Default: the file name, else the picture's SHA-256."""
    output: OutputField = None
    """Replaces the recipe's form of output."""
    priority: Priority = "interactive"
    """Interactive work goes first."""
    labels: LabelsField = None
    """Boxes, polygons, keypoints and mask of the picture; they move with it."""


class AugmentImageRequest(AugmentRequest):
    """What to make of one picture that was uploaded before."""

    image_id: UUID
    """Id of the uploaded picture."""


class BatchRequest(Request):
    """What to make of many pictures that follow in the same body."""

    recipe: RecipeField
    """Steps and the form of the output."""
    seed: Seed | None = None
    """Seed of every drawn number; a random one where none is given, stated in the answer."""
    variants: Variants = 1
    """How many results to make of each picture."""
    output: OutputField = None
    """Replaces the recipe's form of output."""
    priority: Priority = "bulk"
    """Interactive work goes first."""
    group: Group | None = None
    """Ties several batches together."""
    labels: LabelsByName = None
    """Labels of the pictures by custom_id."""


class ImageEntry(Request):
    """One picture of a batch: uploaded before, or to be fetched."""

    image_id: UUID | None = None
    """Id of the uploaded picture."""
    custom_id: CustomId | None = None
    """Your name for the picture. Default: the name it was uploaded under, else its SHA-256; or its address's last part."""
    url: Annotated[str, Field(max_length=2048)] | None = None
    """Instead of `image_id`: where a worker fetches the picture from (http, https), if the operator allows it."""


class BatchImagesRequest(BatchRequest):
    """What to make of many pictures that were uploaded before, or are to be fetched."""

    images: Annotated[list[ImageEntry], Field(fail_fast=True)] | None = None
    """The pictures, in order."""
    source: str | None = None
    """Bucket prefixes are not read by this service: always refused."""


class SaveRecipeRequest(Request):
    """A recipe to be kept under a name."""

    name: Annotated[str, Field(max_length=255)]
    """Up to 64 letters, digits, dots, dashes and underscores."""
    recipe: RecipeField
    """Steps and the form of the output, or the name of a recipe to be copied."""


class ImportRequest(Request):
    """A pipeline of another library."""

    pipeline: Any
    """The document: what Albumentations writes, a list of class names and arguments, or requests of the seed."""
    format: Form | None = None
    """The library it is of; found out where it is not given."""


class ValidateRequest(Request):
    """A recipe to be checked, and a picture's size to plan it for."""

    recipe: RecipeField
    """Steps and the form of the output."""
    size: SizeField = (512, 512)
    """[height, width] of the picture that the plan is made for."""
    variants: Variants = 1
    """How many results the estimate of cost is for."""
    seed: Seed = 0
    """Seed of the numbers drawn for the plan that is shown."""


def checked(model: type[Asked], document: object) -> Asked:
    """The request in a decoded document. ValidationError points at the first field that is wrong."""
    if not isinstance(document, dict):
        raise ValidationError("must be an object", "")
    try:
        return model.model_validate(document)
    except FieldErrors as errors:
        first = errors.errors(include_url=False, include_context=False)[0]
        pointer = "".join(f"/{escaped(part)}" for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise ValidationError(f"unknown field; the fields are {', '.join(model.model_fields)}", pointer) from None
        raise ValidationError(first["msg"].removeprefix("Value error, ").lower(), pointer) from None
