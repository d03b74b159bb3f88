"""Pure: the Cedar schema, generated from the known verbs and the attributes a request may carry."""

from functools import lru_cache
from typing import Final

from cedarpy import Schema

from policies import moment
from policies.arguments import NAME
from policies.context import ARGUMENTS, CEDAR_TYPES
from policies.verbs import GROUPS, VERBS, groups_of

ENTITIES: Final = """\
entity Function;
entity Segment;
entity Agent in [Function, Segment] = { name: String, environment: String, purpose: String };
entity Resource in [Segment] = { name: String, kind: String };
"""


def text(arguments: str = ARGUMENTS) -> str:
    """The schema in Cedar's own syntax: every verb applies to an agent and a resource. `arguments` is the type of `context.args`."""
    types = {**CEDAR_TYPES, **moment.TYPES, NAME: arguments}
    attributes = ",\n".join(f"  {name}?: {kind}" for name, kind in types.items())
    context = f"type Asked = {{\n{attributes},\n  approval?: Bool,\n}};\n"
    groups = "".join(f'action "{group}";\n' for group in sorted(GROUPS))
    return ENTITIES + context + groups + "".join(_action(verb) for verb in sorted(VERBS))


def _action(verb: str) -> str:
    groups = ", ".join(f'"{group}"' for group in sorted(groups_of(verb)))
    within = f" in [{groups}]" if groups else ""
    return f'action "{verb}"{within} appliesTo {{ principal: [Agent], resource: [Resource], context: Asked }};\n'


@lru_cache(256)
def handle(arguments: str = ARGUMENTS) -> Schema:
    """The parsed schema, made once a process for each type of `context.args` that policies speak of."""
    return Schema.from_str(text(arguments))
