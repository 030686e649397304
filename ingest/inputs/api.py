"""The routes of inputs."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from eventcenter.web.auth import Admin, Viewer
from ingest.inputs import shapes
from ingest.inputs.inputs import Inputs

Id = Annotated[str, Path(max_length=64)]
_GONE = 204
_MADE = 201


def router(inputs: Inputs) -> APIRouter:
    """All routes of inputs behind their roles."""
    router = APIRouter(prefix="/v1/inputs", tags=["inputs"])

    @router.get("", summary="The tenant's inputs, and how they are")
    def all_inputs(who: Viewer) -> shapes.Inputs:
        return shapes.Inputs(inputs=inputs.overview.all(who))

    @router.post("", status_code=_MADE, summary="Make an input; it receives at once")
    def create_input(who: Admin, body: shapes.NewInput) -> shapes.InputAnswer:
        return inputs.overview.answer(inputs.book.create(who, body))

    @router.post("/test", summary="Try settings, new or saved ones, and look at messages without taking any")
    def test_input(who: Admin, body: shapes.TestInput) -> shapes.Tried:
        config, held = inputs.book.to_try(who, body)
        return inputs.trier.run(who.tenant, config, held)

    @router.get("/{input_id}", summary="One input with its queues and gaps")
    def one_input(who: Viewer, input_id: Id) -> shapes.InputDetail:
        return inputs.overview.detail(who, input_id)

    @router.patch("/{input_id}", summary="Change, pause (`enabled: false`) or resume an input")
    def change_input(who: Admin, input_id: Id, body: shapes.ChangeInput) -> shapes.InputAnswer:
        return inputs.overview.answer(inputs.book.change(who, input_id, body))

    @router.delete("/{input_id}", status_code=_GONE, summary="Delete an input; its events stay")
    def delete_input(who: Admin, input_id: Id) -> Response:
        inputs.book.delete(who, input_id)
        return Response(status_code=_GONE)

    @router.get("/{input_id}/fetches", summary="What was or is fetched again, newest first")
    def fetches(who: Viewer, input_id: Id) -> shapes.Fetches:
        return shapes.Fetches(fetches=inputs.fetches.all(who, input_id))

    @router.post("/{input_id}/fetches", status_code=_MADE, summary="Fetch again what was stored in a time")
    def create_fetch(who: Admin, input_id: Id, body: shapes.NewFetch) -> shapes.FetchAnswer:
        return inputs.fetches.create(who, input_id, body)

    return router
