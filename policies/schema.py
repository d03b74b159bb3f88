"""Pure: the Cedar schema, generated from the known verbs, the parts that they touch and the attributes a request may carry."""

from functools import lru_cache
from typing import Final

from cedarpy import Schema

from policies import moment
from policies.arguments import NAME
from policies.context import ARGUMENTS, CEDAR_TYPES
from policies.parts import DECLARED, types_of
from policies.verbs import GROUPS, VERBS, groups_of

ENTITIES: Final = """\
entity Function;
entity Segment;
entity Agent in [Function, Segment] = { name: String, environment: String, purpose: String };
entity Resource in [Segment] = { name: String, kind: String };
"""


RESOURCE: Final = "Resource"


def text(arguments: str = ARGUMENTS, *, wholes: bool = True, parts: bool = True) -> str:
    """The schema in Cedar's own syntax: every verb applies to an agent and a resource, or to a part of one. `arguments` is the type of `context.args`.

    A policy whose head speaks of parts is put to them alone, and is validated against them; any other against whole resources.
    """
    types = {**CEDAR_TYPES, **moment.TYPES, NAME: arguments}
    attributes = ",\n".join(f"  {name}?: {kind}" for name, kind in types.items())
    context = f"type Asked = {{\n{attributes},\n  approval?: Bool,\n}};\n"
    groups = "".join(f'action "{group}";\n' for group in sorted(GROUPS))
    entities = ENTITIES + "".join(f"entity {kind} {declared};\n" for kind, declared in DECLARED.items())
    actions = (_action(verb, wholes=wholes, parts=parts) for verb in sorted(VERBS))
    return entities + context + groups + "".join(actions)


def _action(verb: str, *, wholes: bool, parts: bool) -> str:
    groups = ", ".join(f'"{group}"' for group in sorted(groups_of(verb)))
    within = f" in [{groups}]" if groups else ""
    kinds = [*([RESOURCE] if wholes else ()), *(types_of(verb) if parts else ())]
    to = f" appliesTo {{ principal: [Agent], resource: [{', '.join(kinds)}], context: Asked }}" if kinds else ""
    return f'action "{verb}"{within}{to};\n'


@lru_cache(256)
def handle(arguments: str = ARGUMENTS, *, of_parts: bool = False) -> Schema:
    """The parsed schema, made once a process for each type of `context.args` that policies speak of, for those of parts and the others."""
    return Schema.from_str(text(arguments, wholes=not of_parts, parts=of_parts))
