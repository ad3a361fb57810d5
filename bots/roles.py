"""What one gateway process does of the whole: everything, or one part, of which there may be many.

Ingress receives from the platforms and stores; workers answer, and connect to platforms only to send; web
serves people who look after the gateway. Every role serves its own health and metrics.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """`receives` messages of channels, `works` on turns, or both, or neither."""

    name: str
    receives: bool = False
    works: bool = False

    @property
    def connects(self) -> bool:
        """It has business with the platforms."""
        return self.receives or self.works


ALL = Role(name="all", receives=True, works=True)
ROLES: Mapping[str, Role] = {
    role.name: role
    for role in (ALL, Role(name="ingress", receives=True), Role(name="worker", works=True), Role(name="web"))
}
