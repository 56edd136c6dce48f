"""Scopes, which routes ask for, and roles, which keys have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Scope = Literal["read", "submit", "admin", "metrics", "operator"]
Role = Literal["read", "submit", "admin", "metrics", "operator"]

SCOPES: tuple[Scope, ...] = get_args(Scope)
ROLES: Mapping[Role, frozenset[Scope]] = {
    "read": frozenset({"read"}),
    "submit": frozenset({"read", "submit"}),
    "admin": frozenset({"read", "submit", "admin"}),
    "metrics": frozenset({"metrics"}),
    "operator": frozenset(SCOPES),
}
"""`read`: GET; `submit`: everything that changes pictures and batches; `admin`: keys, usage and audit trail of the own
tenant; `metrics`: those of the whole system; `operator`: all tenants."""
OF_A_TENANT: frozenset[Scope] = ROLES["admin"]
"""What a token of another issuer can grant at most; the other scopes reach beyond one tenant."""
