"""What the client raises: the service's problems by what a caller can do about them, and a service that is not there."""

from __future__ import annotations

import httpx2
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from service.client.views import ItemFailure

_BODY_SHOWN = 200


class ClientError(Exception):
    """Parent of everything that the client raises on purpose."""


class Unreachable(ClientError):
    """No service answered at the address for as long as the client was told to be patient."""

    def __init__(self, base_url: str, reason: str) -> None:
        super().__init__(f"no augmentation service answers at {base_url} ({reason})")
        self.base_url, self.reason = base_url, reason


class CutOff(Unreachable):
    """The connection ended in the middle of an answer; asking again may get the whole of it."""


class PictureChanged(ClientError):
    """A file changed its length while it was being sent."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} changed while it was being sent")
        self.name = name


class ApiProblem(ClientError):
    """The service refused: `code` says what, `detail` what to do, `pointer` or `item` where."""

    def __init__(self, problem: Problem, retry_after_s: float | None = None) -> None:
        place = problem.item or problem.pointer
        said = problem.detail or problem.title
        super().__init__(f"{problem.code}: {said}" + (f" ({place})" if place and place not in said else ""))
        self.status, self.code, self.detail = problem.status, problem.code, problem.detail or problem.title
        self.pointer, self.item, self.limit = problem.pointer, problem.item, problem.limit
        self.request_id, self.retry_after_s = problem.request_id, retry_after_s


class Unauthorized(ApiProblem):
    """The key is missing, wrong, or may not do this."""


class NotFound(ApiProblem):
    """There is no such thing, or it is gone."""


class Conflict(ApiProblem):
    """It cannot be done in the present state."""


class Busy(ApiProblem):
    """A limit of this moment; the client has already waited and tried again."""


class ServiceFault(ApiProblem):
    """The service itself failed."""


class Invalid(ApiProblem):
    """The request is wrong: the same one would be refused again."""


class Problem(BaseModel):
    """The body of an `application/problem+json` answer."""

    model_config = ConfigDict(extra="ignore")

    status: int
    code: str
    title: str = ""
    detail: str = ""
    pointer: str | None = None
    item: str | None = None
    limit: JsonValue = None
    request_id: str = ""


class ItemFailed(ApiProblem):
    """A picture was accepted and failed later."""


def item_failed(custom_id: str, failure: ItemFailure | None) -> ItemFailed:
    """The failure of one picture as an error."""
    known = failure or ItemFailure(code="internal")
    return ItemFailed(Problem(status=422, code=known.code, detail=known.detail, item=custom_id))


def problem_of(response: httpx2.Response, retry_after_s: float | None) -> ApiProblem:
    """The error that a read response of status 400 or above stands for."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:  # not from the service itself: a proxy in between, say
        shown = response.text[:_BODY_SHOWN].strip()
        problem = Problem(
            status=response.status_code, code=f"http_{response.status_code}", title=response.reason_phrase, detail=shown
        )
    return _class_of(response.status_code)(problem, retry_after_s)


def _class_of(status: int) -> type[ApiProblem]:
    match status:
        case 401 | 403:
            return Unauthorized
        case 404 | 410:
            return NotFound
        case 409:
            return Conflict
        case 408 | 429 | 502 | 503 | 504 | 507:
            return Busy
        case _:
            return ServiceFault if status >= 500 else Invalid
