"""What is gathered while a statement's tree is walked. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.postgres.catalog import FIRST_USER_OID, Catalog, Col, Relation, Routine, TaggedColumn
from gateway.postgres.classified import CALL, Place, TagUse
from gateway.postgres.functions import ALLOWED, RETURNS_NO_DATA, in_reach, is_read, user_type
from gateway.postgres.tree import Node, strings
from gateway.refusal import Refusal


class Walk:
    """The state of one walk. Offsets in `consts` and `masked` are bytes; negative ones are parameter numbers."""

    __slots__ = (
        "catalog", "columns", "consts", "depth", "masked", "named", "no_where", "path", "pending", "redact", "relations", "routines",
        "statement", "tags", "touched", "types", "unclear", "uses", "verbs", "views", "why_call",
    )  # fmt: skip

    def __init__(self, catalog: Catalog, path: tuple[str, ...] | None = None, depth: int = 0) -> None:
        self.catalog = catalog
        self.path = path or catalog.search_path
        self.depth = depth
        self.statement = 0
        self.verbs: set[str] = set()
        self.relations: dict[int, Relation] = {}
        self.columns: set[str] = set()
        self.uses: dict[TagUse, None] = {}
        self.tags: set[str] = set()
        self.routines: dict[int, Routine] = {}
        self.unclear = False
        self.why_call: dict[str, None] = {}
        self.consts: list[int] = []
        self.touched = False
        self.masked: set[int] = set()
        self.pending: list[tuple[str, tuple[Routine, ...]]] = []
        self.types: set[int] = set()
        self.views: dict[tuple[int, int], tuple[str, ...]] = {}
        self.no_where = False
        """An UPDATE or DELETE has no WHERE."""
        self.named: set[str] = set()
        """Relations that are made, and so have no OID yet."""
        self.redact = False
        """Every constant in the text is to be hidden: it may be a password."""

    def use(self, tagged: Iterable[TaggedColumn], place: Place, words: str, index: int = -1) -> None:
        """Note a use of tagged columns; what reads them touches the constants around it."""
        for one in tagged:
            self.tags.add(one.tag.name)
            self.uses[TagUse(one.tag.name, one.table, one.column, place, words, index, self.statement)] = None
            self.touched = self.touched or place in {Place.OTHER, Place.LOOKUP}

    def read(self, col: Col, words: str) -> None:
        """Note that a column's value is used for something other than being put out."""
        if col.tagged:
            self.use(col.tagged, Place.OTHER, words)
        if col.consts:
            self.consts.extend(col.consts)

    def read_all(self, cols: Iterable[Col], words: str) -> None:
        """The same of several columns."""
        for col in cols:
            self.read(col, words)

    def mask(self, offsets: Iterable[int]) -> None:
        """The constants at these places stand in tagged positions."""
        self.masked.update(offsets)

    def call(self, reason: str, routines: Iterable[Routine] = (), *, unclear: bool = True) -> None:
        """Note something that makes it a call; `unclear` when what comes back may be anything."""
        self.verbs.add(CALL)
        self.why_call[reason] = None
        self.routines.update((routine.oid, routine) for routine in routines)
        self.unclear = self.unclear or unclear

    def function(self, schema: str | None, name: str) -> None:
        """Note a function by the name it is called by."""
        listed = is_read(schema, name, ALLOWED.functions)
        users = self.catalog.functions.get(name)
        if listed and not users:
            return
        reach = in_reach(users or (), schema, self.catalog)
        if listed:
            if reach:
                self.pending.append((f"the function {name} of this database", reach))
            return
        silent = all(one.silent for one in reach) if reach else name in RETURNS_NO_DATA
        self.call(f"the function {name}", reach, unclear=not silent)

    def attribute(self, name: str) -> None:
        """Note `(value).name`, which PostgreSQL takes for a call of the function `name` where the value has no such field."""
        if name in self.catalog.system_functions or self.catalog.functions.get(name):
            self.function(None, name)

    def operator(self, schema: str | None, name: str) -> None:
        """Note an operator by its name."""
        listed = is_read(schema, name, ALLOWED.operators)
        users = self.catalog.operators.get(name)
        if listed and not users:
            return
        reach = in_reach(users or (), schema, self.catalog)
        if not listed:
            self.call(f"the operator {name}", reach)
        elif reach:
            self.pending.append((f"the operator {name} of this database", reach))

    def type(self, names: list[Node]) -> None:
        """Note a type that something is cast to."""
        *qualifier, name = strings(names)
        self._cast_to(name)
        found = user_type(qualifier[-1] if qualifier else None, name, self.catalog)
        if found is None or found.oid < FIRST_USER_OID:
            return
        self.types.add(found.oid)
        if found.kind != "e":
            self.call(f"a cast to the type {found.schema}.{name}")

    def _cast_to(self, name: str) -> None:
        for cast in self.catalog.casts:
            if cast.target_name == name:
                need = frozenset({cast.source} if cast.source >= FIRST_USER_OID else ())
                self.pending.append((f"a cast to {name} of this database", (Routine(0, "", name, "", need),)))

    def relation(self, relation: Relation) -> None:
        """Note a relation that is read or written. Raises Refusal for what nobody may read through the gate."""
        if not relation.readable:
            raise Refusal(
                f"{relation.full_name} shows other sessions, samples of data or secrets, and is not open to agents.",
                code="system_relation",
            )
        self.relations[relation.oid] = relation
        if self.catalog.inherits:
            self.relations.update((heir.oid, heir) for heir in self.catalog.heirs.get(relation.oid, ()))
        if relation.user_types:
            self.types |= relation.user_types

    def absorb(self, other: Walk, words: str) -> None:
        """Take over what another walk found, in a view or a prepared statement."""
        self.verbs |= other.verbs
        self.relations.update(other.relations)
        self.columns |= other.columns
        self.tags |= other.tags
        self.routines.update(other.routines)
        self.unclear = self.unclear or other.unclear
        self.why_call.update(other.why_call)
        self.pending += other.pending
        self.types |= other.types
        self.views.update(other.views)
        self.no_where = self.no_where or other.no_where
        for use in other.uses:
            inside = f"{use.words} {words}".strip()
            self.uses[TagUse(use.tag, use.table, use.column, use.place, inside, use.index, self.statement)] = None

    def settle(self) -> None:
        """Decide, now that all types in the statement are known, what same-named routines of the database could be meant."""
        reached = self.catalog.reachable(self.types) if self.pending else frozenset()
        for reason, routines in self.pending:
            meant = tuple(one for one in routines if one.needs <= reached)
            if meant:
                self.call(reason, (one for one in meant if one.oid))
