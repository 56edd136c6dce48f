"""The Python client: `Client` speaks to a running service, `ApiProblem` is what it refuses."""

from service.client.client import Client
from service.client.errors import ApiProblem

__all__ = ["ApiProblem", "Client"]
