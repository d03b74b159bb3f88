"""A generator of queries over the shop: joins, subqueries, WITH, UNION, grouping, nested at random.

What it makes is often refused, by the gate or by PostgreSQL; what both accept must not give away a secret.
"""

from __future__ import annotations

from random import Random

TABLES = {
    "customers": ["id", "name", "email", "card_number", "ssn", "balance"],
    "orders": ["id", "customer_id", "total", "status"],
    "active_customers": ["id", "email", "name"],
    "renamed": ["number", "address"],
    "everyone": ["id", "value"],
    "copied": ["id", "card_number"],
}
Alias = tuple[str, list[str]]


class Queries:
    """Queries from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.number = 0

    def fresh(self, letter: str) -> str:
        self.number += 1
        return f"{letter}{self.number}"

    def query(
        self, depth: int = 3, ctes: dict[str, list[str]] | None = None, outer: list[Alias] | None = None
    ) -> tuple[str, list[str]]:
        """A query's text and its output names."""
        ctes = dict(ctes or {})
        clause = ""
        if depth > 1 and self.random.random() < 0.25:
            names = []
            for _ in range(self.random.randint(1, 2)):
                inner, columns = self.query(depth - 1, ctes, outer)
                name = self.random.choice([self.fresh("w"), "customers", "orders"])
                if name in names:
                    continue
                names.append(name)
                ctes[name] = columns
                clause += f"{',' if clause else 'WITH'} {name} AS ({inner}) "
        body, columns = self.body(depth, ctes, outer or [])
        if depth > 1 and self.random.random() < 0.2:
            other, others = self.body(depth - 1, ctes, outer or [])
            if len(others) == len(columns):
                operation = self.random.choice(["UNION ALL", "UNION ALL", "UNION", "EXCEPT", "INTERSECT ALL"])
                body = f"({body}) {operation} ({other})"
        return clause + body, columns

    def body(self, depth: int, ctes: dict[str, list[str]], outer: list[Alias]) -> tuple[str, list[str]]:
        sources, aliases = self.sources(depth, ctes, outer)
        outs, names = self.outputs(aliases, outer, depth, ctes)
        text = f"SELECT {'DISTINCT ' if self.random.random() < 0.05 else ''}{', '.join(outs)} FROM {sources}"
        if self.random.random() < 0.3:
            text += f" WHERE {self.predicate(aliases, outer, depth, ctes)}"
        if self.random.random() < 0.15:
            text += f" ORDER BY {self.random.choice(['1', *names, self.column(aliases)])}"
        return text, names

    def sources(self, depth: int, ctes: dict[str, list[str]], outer: list[Alias]) -> tuple[str, list[Alias]]:
        text, aliases = self.source(depth, ctes, outer)
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            if self.random.random() < 0.3:
                inner, columns = (
                    self.query(depth - 1, ctes, [*outer, *aliases]) if depth > 1 else ("SELECT 1 AS one", ["one"])
                )
                alias = self.fresh("l")
                text += f" CROSS JOIN LATERAL ({inner}) {alias}"
                aliases = [*aliases, (alias, columns)]
                continue
            right, more = self.source(depth, ctes, outer)
            shared = set(aliases[-1][1]) & set(more[0][1])
            form = self.random.random()
            if shared and form < 0.3:
                text += f" {self.random.choice(['JOIN', 'LEFT JOIN', 'FULL JOIN'])} {right} USING ({self.random.choice(sorted(shared))})"
            elif form < 0.4:
                text += f" NATURAL JOIN {right}"
            elif form < 0.7:
                text += f" JOIN {right} ON {self.predicate([*aliases, *more], outer, 1, ctes)}"
            else:
                text += f", {right}"
            aliases = [*aliases, *more]
        return text, aliases

    def source(self, depth: int, ctes: dict[str, list[str]], outer: list[Alias]) -> tuple[str, list[Alias]]:
        if depth > 1 and self.random.random() < 0.35:
            inner, columns = self.query(depth - 1, ctes, outer)
            return self.aliased(f"({inner})", columns)
        name = self.random.choice([*TABLES, "customers", *ctes, *ctes])
        columns = ctes.get(name) or TABLES[name]
        if self.random.random() < 0.4:
            return name, [(name, columns)]
        return self.aliased(name, columns)

    def aliased(self, text: str, columns: list[str]) -> tuple[str, list[Alias]]:
        alias = self.random.choice([self.fresh("t"), self.fresh("t"), self.fresh("t"), "email", "c"])
        if self.random.random() < 0.3:
            renamed = [
                self.random.choice(["email", self.fresh("k"), self.fresh("k"), self.fresh("k")])
                for _ in columns[: self.random.randint(1, len(columns))]
            ]
            return f"{text} AS {alias} ({', '.join(renamed)})", [(alias, renamed + columns[len(renamed) :])]
        return f"{text} AS {alias}", [(alias, columns)]

    def column(self, aliases: list[Alias]) -> str:
        alias, columns = self.random.choice(aliases)
        name = self.random.choice(columns)
        return f"{alias}.{name}" if self.random.random() < 0.9 else name

    def outputs(
        self, aliases: list[Alias], outer: list[Alias], depth: int, ctes: dict[str, list[str]]
    ) -> tuple[list[str], list[str]]:
        outs: list[str] = []
        names: list[str] = []
        for _ in range(self.random.randint(1, 3)):
            form = self.random.random()
            if form < 0.12:
                alias, columns = self.random.choice(aliases)
                outs.append(f"{alias}.*")
                names += columns
            elif form < 0.16:
                outs.append("*")
                names += [name for _, columns in aliases for name in columns]
            else:
                text = self.value(aliases, outer, depth, ctes)
                name = self.random.choice([self.fresh("o"), self.fresh("o"), self.fresh("o"), "email", "id"])
                outs.append(f"{text} AS {name}" if form < 0.7 else text)
                names.append(
                    name if form < 0.7 else text.rpartition(".")[2] if text.replace(".", "").isidentifier() else "x"
                )
        return outs, names

    def value(self, aliases: list[Alias], outer: list[Alias], depth: int, ctes: dict[str, list[str]]) -> str:
        form = self.random.random()
        if form < 0.7:
            return self.column(aliases if not outer or form < 0.6 else outer)
        if form < 0.8:
            return self.random.choice(["1", "'x'", "count(*) OVER ()", "now()", "NULL"])
        column = self.column(aliases)
        if form < 0.95 or depth < 2:
            alias = self.random.choice(aliases)[0]
            return self.random.choice(
                [
                    f"lower({column}::text)",
                    f"{column}::text",
                    f"({alias})::text",
                    f"{alias}",
                    f"coalesce({column}, {column})",
                ]
            )
        inner, _ = self.query(depth - 1, ctes, [*outer, *aliases])
        return self.random.choice([f"({inner} LIMIT 1)", f"EXISTS ({inner})", f"ARRAY({inner})"])

    def predicate(self, aliases: list[Alias], outer: list[Alias], depth: int, ctes: dict[str, list[str]]) -> str:
        left = self.column(aliases)
        form = self.random.random()
        if form < 0.4:
            return f"{left} = 'SECRET-e1'"
        if form < 0.7:
            return f"{left}::text > '0'"
        if form < 0.85 or depth < 2:
            return f"{left}::text = {self.column([*aliases, *outer])}::text"
        inner, _ = self.query(depth - 1, ctes, [*outer, *aliases])
        return f"EXISTS ({inner})"
