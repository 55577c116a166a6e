"""Projects over the API."""

from contract.tenant import Tenant, new_tenant

from .test_keys import call


def test_an_operator_lists_and_creates_projects(tenant: Tenant) -> None:
    """A key of a new project reads nothing of the others."""
    operator = tenant.key("operator", "data:read")
    name = f"{tenant.project}-new"
    made = call(tenant, "POST", "/projects", operator, {"name": name})
    assert (made.status_code, made.json()["name"]) == (200, name)
    tenant.secret = operator
    listed = list(tenant.pages("/projects", "projects", limit=1000))
    assert made.json() in listed
    names = [one["name"] for one in listed]
    assert names == sorted(names)
    assert {"default", tenant.project, name} <= set(names)
    key = call(tenant, "POST", "/keys", operator, {"scopes": ["data:read"], "project": name}).json()
    assert tenant.get("/users", key["key"]).json()["users"] == []


def test_an_invalid_or_taken_name_is_400(tenant: Tenant) -> None:
    """Names are used in paths."""
    operator = tenant.key("operator")
    for name in ("", "Acme Ltd.", "../x", "x" * 64, tenant.project, "default", "a\n", 5, None):
        answer = call(tenant, "POST", "/projects", operator, {"name": name})
        assert answer.status_code == 400, name


def test_an_admin_sees_its_own_project_alone(tenant: Tenant) -> None:
    """And creates none."""
    new_tenant(tenant.client, tenant.store)
    admin = tenant.key("admin")
    page = call(tenant, "GET", "/projects", admin).json()
    assert ([one["name"] for one in page["projects"]], page["next"]) == ([tenant.project], None)
    assert call(tenant, "POST", "/projects", admin, {"name": "mine"}).status_code == 403
