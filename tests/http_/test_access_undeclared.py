"""A route that does not state who may use it keeps the server from starting."""

import pytest
from litestar import get
from litestar.handlers import HTTPRouteHandler

from uptake.http.access import PUBLIC, About, Permission, UndeclaredRoute, require_declared


@get("/somewhere")
async def undeclared() -> None:
    """Without a permission."""


@get("/users/{name:str}", permission=Permission("data:read", About.USER_IN_PATH))
async def without_user() -> None:
    """States that a user is in its path, where none is."""


@get("/somewhere", permission=PUBLIC)
async def declared() -> None:
    """For everybody."""


@pytest.mark.parametrize("handler", [undeclared, without_user])
def test_a_route_without_a_sound_declaration_is_an_error(handler: HTTPRouteHandler) -> None:
    """At the start, not at the first request."""
    with pytest.raises(UndeclaredRoute):
        require_declared([declared, handler])


def test_declared_routes_are_accepted() -> None:
    """Public ones too."""
    require_declared([declared])
