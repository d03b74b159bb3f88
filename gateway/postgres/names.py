"""What a session holds by name, as far as the resource has confirmed it: prepared statements and cursors. Pure.

Nothing is believed before the resource says that it worked: a PREPARE that failed because the name is taken must not
make the gate think that the name means something milder.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.postgres.backend import Field
from gateway.postgres.classified import Classified, Statement
from gateway.postgres.run import Run


@dataclass(slots=True, eq=False)
class Prepared:
    """A prepared statement. `fields` are its output columns once a Describe found them."""

    sql: str
    types: tuple[int, ...]
    classified: Classified
    fields: tuple[Field, ...] | None = None
    confirmed: bool = False
    found: tuple[int, ...] = ()
    """Types of its parameters, once a Describe found them: the resource's own word, also for those that the client left open."""

    def find(self, types: tuple[int, ...]) -> None:
        """Take the parameters' types that a Describe found."""
        self.found = types

    def learn(self, fields: tuple[Field, ...]) -> None:
        """Take the columns that a Describe found."""
        self.fields = fields


@dataclass(slots=True, eq=False)
class Portal:
    """A portal and the run that executing it continues; None for an empty statement."""

    run: Run | None


@dataclass(slots=True)
class Names:
    """Prepared statements by name (the unnamed one is ""), portals by name, cursors by name."""

    statements: dict[str, Prepared] = field(default_factory=dict)
    portals: dict[bytes, Portal] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """Texts of named prepared statements, for EXECUTE."""
    cursors: dict[str, str] = field(default_factory=dict)

    def prepare(self, name: str, prepared: Prepared) -> None:
        """A Parse is sent up. A name that is taken keeps its meaning: the resource will refuse the Parse."""
        if not name or name not in self.texts:
            self.statements[name] = prepared

    def confirm(self, name: str, prepared: Prepared) -> None:
        """The resource parsed it."""
        prepared.confirmed = True
        if name and self.statements.get(name) is prepared:
            self.texts[name] = prepared.sql

    def forget(self, name: str, prepared: Prepared) -> None:
        """The resource did not parse it."""
        if self.statements.get(name) is prepared:
            del self.statements[name]

    def bind(self, name: bytes, portal: Portal) -> None:
        """A Bind is sent up. A name that is taken keeps its meaning: the resource will refuse the Bind."""
        if not name or name not in self.portals:
            self.portals[name] = portal

    def unbind(self, name: bytes, portal: Portal) -> None:
        """The resource did not bind it."""
        if self.portals.get(name) is portal:
            del self.portals[name]

    def close(self, name: str) -> None:
        """A prepared statement is closed; closing never fails."""
        self.statements.pop(name, None)
        self.texts.pop(name, None)

    def apply(self, statement: Statement) -> None:
        """A statement ended well: take what it did to names."""
        if statement.prepares is not None:
            name, text = statement.prepares
            if name not in self.texts:
                self.texts[name] = text
        if statement.deallocates == "*":
            self.texts.clear()
            self.statements = {name: held for name, held in self.statements.items() if not name}
        elif statement.deallocates is not None:
            self.close(statement.deallocates)
        if statement.declares is not None:
            self.cursors[statement.declares[0]] = statement.declares[1]
        if statement.closes == "*" or statement.transaction in ("commit", "rollback", "rollback_to"):
            self.cursors.clear()
        elif statement.closes is not None:
            self.cursors.pop(statement.closes, None)
