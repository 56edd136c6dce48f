"""The Python client: synchronous, for people, notebooks and the command line.

    from service.client import Client
    client = Client("http://127.0.0.1:8000")
    Path("turned.jpg").write_bytes(client.augment(Path("cat.jpg"), {"steps": [{"op": "rotate", "degrees": 30}]}))

Every call waits out short outages: connection errors and answers that say "later" are tried again, after `Retry-After`
where it is given. Submits carry an Idempotency-Key, so trying again never does the work twice. Threads may share a client.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

from pydantic import JsonValue

from service.client.errors import item_failed
from service.client.multipart_body import Content, MultipartBody
from service.client.retries import Clock
from service.client.views import Batch, Image, Item, Output, RecipeVersion, Replay, StoredRecipe
from service.client.wire import LONGEST_WAIT_S, Body, Json, Wire

RecipeLike = Mapping[str, JsonValue] | str
"""A recipe's document, or the name of a stored one."""


class Client:
    """Calls one service. `patience_s` is how long a call goes on trying when the service is busy or away."""

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        api_key: str | None = None,
        *,
        patience_s: float = 60.0,
        clock: Clock | None = None,
    ) -> None:
        self._wire = Wire(base_url, api_key, patience_s, clock or Clock())

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._wire.close()

    # pictures

    def augment(
        self,
        picture: Content,
        recipe: RecipeLike,
        *,
        seed: int | None = None,
        custom_id: str | None = None,
        output: Json | None = None,
        labels: Json | None = None,
        fresh: bool = False,
    ) -> bytes:
        """The augmented picture's file. An error names what is wrong with the picture or the recipe.

        fresh: made anew, even where the service has this very result of yours already.
        """
        fields = {"seed": seed, "output": output, "labels": labels}
        ((_, content),) = self._variants(picture, recipe, custom_id, {**fields, "variants": 1}, fresh)
        return content

    def variants(
        self,
        picture: Content,
        recipe: RecipeLike,
        *,
        variants: int,
        seed: int | None = None,
        custom_id: str | None = None,
        output: Json | None = None,
        labels: Json | None = None,
        fresh: bool = False,
    ) -> list[tuple[Output, bytes]]:
        """Several variants of one picture, each with where it came from, in the order of their numbers."""
        fields = {"seed": seed, "output": output, "labels": labels}
        return self._variants(picture, recipe, custom_id, {**fields, "variants": variants}, fresh)

    def _variants(
        self,
        picture: Content,
        recipe: RecipeLike,
        custom_id: str | None,
        fields: Mapping[str, JsonValue | Json],
        fresh: bool,
    ) -> list[tuple[Output, bytes]]:
        name = custom_id or (picture.name if isinstance(picture, Path) else hashlib.sha256(picture).hexdigest())
        body = _multipart(_request(recipe, custom_id=name, **fields), "image", {name: picture})
        batch = Batch.model_validate(self._wire.json("POST", "/v1/augment", body=body, headers=_headers(None, fresh)))
        self.wait(batch.id)
        for item in self.items(batch.id, state="failed"):
            raise item_failed(item.custom_id, item.error)
        made = sorted(self.outputs(batch.id), key=lambda output: output.variant)
        return [(output, self.content(output.id)) for output in made]

    def upload(self, picture: Content) -> Image:
        """Keeps a picture on the service; its id can be augmented any number of times."""
        content = picture if isinstance(picture, bytes) else picture.read_bytes()
        body = Body(content, {"Content-Type": "application/octet-stream"})
        return Image.model_validate(self._wire.json("POST", "/v1/images", body=body))

    # batches

    def submit_batch(
        self,
        pictures: Mapping[str, Content],
        recipe: RecipeLike,
        *,
        variants: int = 1,
        seed: int | None = None,
        output: Json | None = None,
        priority: str | None = None,
        group: str | None = None,
        labels: Json | None = None,
        idempotency_key: str | None = None,
        fresh: bool = False,
    ) -> Batch:
        """Sends pictures by custom id. The same `idempotency_key` again answers the same batch, never a second one.

        fresh: made anew, even what the service has as an earlier result of yours.
        """
        request = _request(
            recipe, seed=seed, variants=variants, output=output, priority=priority, group=group, labels=labels
        )
        body = _multipart(request, "images", pictures)
        headers = _headers(idempotency_key, fresh)
        return Batch.model_validate(self._wire.json("POST", "/v1/batches", body=body, headers=headers))

    def submit_images(
        self,
        image_ids: Mapping[str, UUID],
        recipe: RecipeLike,
        *,
        variants: int = 1,
        seed: int | None = None,
        output: Json | None = None,
        idempotency_key: str | None = None,
        fresh: bool = False,
    ) -> Batch:
        """A batch of pictures that were uploaded before, by custom id."""
        images: list[JsonValue] = [{"custom_id": name, "image_id": str(image_id)} for name, image_id in image_ids.items()]
        request = {**_request(recipe, seed=seed, variants=variants, output=output), "images": images}
        headers = _headers(idempotency_key, fresh)
        return Batch.model_validate(self._wire.json("POST", "/v1/batches", body=_document(request), headers=headers))

    def batch(self, batch_id: UUID, *, wait_s: float = 0.0) -> Batch:
        """The batch as it is now, or as soon as it is final within `wait_s`."""
        headers = {"Prefer": f"wait={wait_s:g}"} if wait_s else {}
        return Batch.model_validate(self._wire.json("GET", f"/v1/batches/{batch_id}", headers=headers))

    def wait(
        self, batch_id: UUID, *, progress: Callable[[Batch], None] | None = None, every_s: float = LONGEST_WAIT_S
    ) -> Batch:
        """The batch when it is final; `progress` is called with the view about every `every_s` seconds until then."""
        while True:
            batch = self.batch(batch_id, wait_s=every_s)
            if progress is not None:
                progress(batch)
            if batch.final:
                return batch

    def batches(self, *, group: str | None = None, state: str | None = None) -> Iterator[Batch]:
        """Batches, newest or oldest first as the service lists them, page by page."""
        yield from map(Batch.model_validate, self._wire.pages("/v1/batches", "batches", {"group": group, "state": state}))

    def items(self, batch_id: UUID, *, state: str | None = None) -> Iterator[Item]:
        """Pictures of a batch, page by page."""
        yield from map(Item.model_validate, self._wire.pages(f"/v1/batches/{batch_id}/items", "items", {"state": state}))

    def outputs(self, batch_id: UUID) -> Iterator[Output]:
        """Every output of a batch, read line by line."""
        with self._wire.stream(f"/v1/batches/{batch_id}/outputs", {}) as response:
            for line in response.iter_lines():
                if line:
                    yield Output.model_validate_json(line)

    def content(self, output_id: UUID) -> bytes:
        """One output's file."""
        return self._wire.send("GET", f"/v1/outputs/{output_id}/content").content

    def replay(self, output_id: UUID, *, wait_s: float = LONGEST_WAIT_S) -> Replay:
        """The output made again by the service within `wait_s`, beside what it was. NotFound: it or its picture is gone."""
        headers = {"Prefer": f"wait={wait_s:g}"}
        return Replay.model_validate(self._wire.json("POST", f"/v1/outputs/{output_id}/replay", headers=headers))

    @contextmanager
    def archive(self, batch_id: UUID, *, form: str = "tar", partial: bool = False) -> Iterator[Iterator[bytes]]:
        """Pieces of a batch's archive (zip or tar), as they come."""
        with self._wire.stream(
            f"/v1/batches/{batch_id}/archive", {"format": form, **({"partial": "true"} if partial else {})}
        ) as response:
            yield response.iter_bytes()

    def cancel(self, batch_id: UUID) -> Batch:
        """Stops what has not begun; pictures that are running still finish or are dropped."""
        return Batch.model_validate(self._wire.json("POST", f"/v1/batches/{batch_id}/cancel"))

    def retry(self, batch_id: UUID) -> Batch:
        """Runs the failed pictures of a finished batch again, and only them."""
        return Batch.model_validate(self._wire.json("POST", f"/v1/batches/{batch_id}/retry"))

    # recipes

    def save_recipe(self, name: str, recipe: RecipeLike) -> StoredRecipe:
        """Keeps a recipe as the next version of `name`; the same content again answers the version that it is."""
        body = _document(_request(recipe, name=name))
        return StoredRecipe.model_validate(self._wire.json("POST", "/v1/recipes", body=body))

    def recipe(self, name: str, version: int | None = None) -> StoredRecipe:
        """A recipe by name: the newest version, or the one that is asked for."""
        params = {} if version is None else {"version": str(version)}
        return StoredRecipe.model_validate(self._wire.json("GET", f"/v1/recipes/{quote(name, safe='')}", params=params))

    def recipes(self) -> Iterator[RecipeVersion]:
        """The newest version of each of your recipes, by name; the ready ones are not among them."""
        yield from map(RecipeVersion.model_validate, self._wire.pages("/v1/recipes", "recipes", {}))

    def delete_recipe(self, name: str) -> None:
        """Deletes all versions of your recipe. Batches keep theirs."""
        self._wire.send("DELETE", f"/v1/recipes/{quote(name, safe='')}")

    def import_recipe(self, pipeline: JsonValue, form: str | None = None) -> JsonValue:
        """A pipeline of another library as a recipe, and what became of every item: the service's report."""
        asked: dict[str, JsonValue] = {"pipeline": pipeline, **({"format": form} if form else {})}
        return self._wire.json("POST", "/v1/recipes/import", body=_document(asked))

    # the service

    def ready(self) -> bool:
        """Whether a service answers and can take work, asked once, without patience."""
        return self._wire.answers("/readyz")


def _request(recipe: RecipeLike, **fields: JsonValue | Json) -> dict[str, JsonValue]:
    """The request object of the REST contract, without what was left to its defaults."""
    given = {name: value for name, value in fields.items() if value is not None}
    return {
        "recipe": recipe if isinstance(recipe, str) else dict(recipe),
        **{name: _plain(value) for name, value in given.items()},
    }


def _plain(value: JsonValue | Json) -> JsonValue:
    return dict(value) if isinstance(value, Mapping) else value


def _headers(idempotency_key: str | None, fresh: bool) -> dict[str, str]:
    key = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
    return {**key, "Cache-Control": "no-cache"} if fresh else key


def _multipart(request: Json, field: str, pictures: Mapping[str, Content]) -> Body:
    body = MultipartBody(request, field, pictures)
    return Body(body, body.headers)


def _document(request: Json) -> Body:
    return Body(json.dumps(request, allow_nan=False).encode(), {"Content-Type": "application/json"})
