"""What the routes of the API and of the pages take: the desk, and which calls are meant."""

from typing import Annotated

from fastapi import Depends, Query, Request

from trimtab.control import Desk


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


DeskOf = Annotated[Desk, Depends(_desk)]
WorkloadQuery = Annotated[str | None, Query(max_length=64)]
ModelQuery = Annotated[str | None, Query(max_length=300)]
StatusQuery = Annotated[str | None, Query(max_length=20)]
AppQuery = Annotated[str | None, Query(max_length=64)]
SourceQuery = Annotated[str | None, Query(max_length=64)]
LimitQuery = Annotated[int, Query(ge=1, le=1000)]
