"""Ask a Narrowgate gateway before an agent acts."""

from narrowgate_client.errors import Denied, GateError, Unavailable
from narrowgate_client.follow import changes, changes_async
from narrowgate_client.gate import Gate
from narrowgate_client.guard import guarded

__all__ = ["Denied", "Gate", "GateError", "Unavailable", "changes", "changes_async", "guarded"]
