"""LitServe.  Takes a port and a number of inference processes."""

import sys
from typing import Annotated, Any

import litserve
from fastapi import Depends, Request, Response

from benchmarks.peers.apps.work import answered, prepare

# annotations are read by LitServe as objects, so they are not postponed here


async def body(request: Request) -> bytes:
    return await request.body()


class Augment(litserve.LitAPI):  # type: ignore[misc]  # not installed where types are checked
    """One request is one call of `predict`."""

    def setup(self, device: Any) -> None:
        prepare()

    def decode_request(self, request: Annotated[bytes, Depends(body)]) -> bytes:
        return request

    def predict(self, x: bytes) -> bytes:
        return answered(x)

    def encode_response(self, output: bytes) -> Response:
        return Response(output, media_type="application/octet-stream")


if __name__ == "__main__":
    server = litserve.LitServer(
        Augment(api_path="/augment"), accelerator="cpu", devices=1, workers_per_device=int(sys.argv[2]), fast_queue=True
    )
    server.run(host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", generate_client_file=False)
