"""`narrowgate policy`: policy as code, from files to what is in force."""

from __future__ import annotations

import difflib
import json
import time
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli import policy_bundle
from cli.api_client import Api, AsOption, TokenFileOption, connect
from cli.findings import Finding, Output, printed
from cli.output import table
from cli.policy_files import TESTS, Bundle, commit_of, gather, gather_tests, repository_of, write_pack
from cli.state import StateOption
from core.errors import NarrowgateError

policy = typer.Typer(
    name="policy",
    help="Policies: check, test, diff, push, fetch, try, approve, activate, roll back, review, export, verify.",
    no_args_is_help=True,
)
EVERY: Final = 0.5
"""Seconds between two looks at how far something is."""
MANY: Final = 1_000
"""Policies, of which more are not checked before they are pushed: reading them once is enough."""
NOTHING: Final[dict[str, Any]] = {"results": [], "uncovered": [], "unmet": []}
OutputOption = Annotated[Output, typer.Option(help="text, or json and sarif for pipelines.")]
Files = Annotated[list[Path], typer.Argument(help="Cedar files, or folders of them: together the whole text.")]
Number = Annotated[int, typer.Argument(help="The version's number.")]


@policy.command()
def check(
    files: Files,
    output: OutputOption = Output.TEXT,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Say everything that is wrong with the files, by line, or what is worth a look. Exit status 0 only if nothing is wrong."""
    bundle = gather(files)
    checked = connect(state, token_file, person).post("policies/check", {"text": bundle.text})
    problems = _wrong(bundle, checked)
    typer.echo(printed([*problems, *_worth_a_look(bundle, checked)], output, well="Nothing is wrong."))
    if problems:
        raise typer.Exit(1)


@policy.command("test")
def run_tests(
    files: Files,
    output: OutputOption = Output.TEXT,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Run the test cases (*.test.yaml) beside the files. Exit status 0 only if all pass."""
    api, bundle, tests = connect(state, token_file, person), gather(files), gather_tests(files)
    if not tests.files:
        raise NarrowgateError("There is no test case.", f"Put a file that ends in {TESTS[1:]} beside the policies.")
    problems = _problems(api, bundle)
    tested = api.post("policies/test", {"text": bundle.text, "tests": tests.text}) if not problems else NOTHING
    failed = [one for one in tested["results"] if not one["passed"]]
    findings = [
        *problems,
        *(Finding.at(tests.at(one["line"]), "test", f"{one['name']}: {' '.join(one['wrong'])}") for one in failed),
    ]
    typer.echo(printed(findings, output, well=f"All {len(tested['results'])} pass."))
    if output is Output.TEXT and tested["uncovered"]:
        typer.echo(f"No case meets: {', '.join(tested['uncovered'])}")
        typer.echo(f"Nor did any of the newest actions: {', '.join(tested['unmet']) or 'each was met by some'}")
    if findings:
        raise typer.Exit(1)


@policy.command("try")
def try_version(
    number: Number,
    period: Annotated[
        str, typer.Option(help="1d, 7d, 30d or 90d before now; or shadow, for what happens from now on.")
    ] = "7d",
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Try a version on what happened: what would have been allowed, masked, held or denied otherwise."""
    api = connect(state, token_file, person)
    asked = api.post(f"policies/{number}/trials", {"period": period})
    trial = _wait(api, f"policies/{number}/trials/{asked['id']}", asked, "Trying", ("tried", "actions"))
    if trial["status"] != "ready":
        raise NarrowgateError(f"The trial is {trial['status']}. {trial['why']}".strip())
    changes = trial["found"]["changes"]
    rows = [
        [
            str(one["actions"]),
            one["agent"],
            ", ".join(one["verbs"]),
            one["resource"],
            one["before"]["words"],
            one["after"]["words"],
        ]
        for one in changes
    ]
    if rows:
        table(("Actions", "Agent", "Verbs", "Resource", "Was", "Would be"), rows)
    otherwise = sum(one["actions"] for one in changes) + trial["found"]["unlisted"]
    typer.echo(f"{otherwise} of {trial['tried']} actions would have gone otherwise.")


@policy.command()
def diff(
    files: Files,
    against: Annotated[int | None, typer.Option(help="The version to compare with; the active one otherwise.")] = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """What would change, in words and line by line. Exit status 0 if nothing would, 1 if something would."""
    api, bundle = connect(state, token_file, person), gather(files)
    number, text = _version(api, against)
    try:
        _in_words(api.post("policies/differences", {"text": bundle.text, "against": number or None}))
    except NarrowgateError as error:  # a text that cannot be used still has lines
        typer.echo(f"Not to be said in words: {error}")
    lines = list(
        difflib.unified_diff(
            text.splitlines(),
            bundle.text.splitlines(),
            f"version {number}" if number else "nothing",
            "files",
            lineterm="",
        )
    )
    for line in lines:
        typer.echo(line)
    raise typer.Exit(1 if lines else 0)


@policy.command()
def push(  # noqa: PLR0917 -- typer reads options from parameters
    files: Files,
    note: Annotated[str, typer.Option(help="What changes, and why.")] = "",
    first: Annotated[bool, typer.Option("--first", help="Put the very first version in force at once.")] = False,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Propose the files as the next version. Somebody else approves it; then it is activated."""
    api, bundle, tests = connect(state, token_file, person), gather(files), gather_tests(files)
    if first or bundle.text.count(";") <= MANY:
        _require_well(api, bundle)
    body = {"text": bundle.text, "tests": tests.text, "note": note, "commit": commit_of(files)}
    body |= {"repository": repository_of(files)} if body["commit"] else {}
    if first:
        typer.echo(f"Version {api.post('policies/install', body)['number']} is in force.")
        return
    number = _drafted(api, bundle, api.post("policies", body))
    api.post(f"policies/{number}/propose")
    typer.echo(f"Version {number} is proposed. Somebody else approves it: narrowgate policy approve {number}")


@policy.command()
def fetch(
    branch: Annotated[str, typer.Option(help="The branch; the repository's own otherwise.")] = "",
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Have the console fetch its Git repository, and propose what is there as the next version. Somebody else approves it."""
    api = connect(state, token_file, person)
    with Console(stderr=True).status("The console fetches its repository"):
        made = api.post("policies/fetch", {"branch": branch})
    number = made["number"]
    api.post(f"policies/{number}/propose")
    typer.echo(
        f"Version {number}, of commit {made['commit'][:12]}, is proposed. Somebody else approves it: narrowgate policy approve {number}"
    )


@policy.command()
def explain(
    action: Annotated[UUID, typer.Argument(help="The action's identifier, which each refusal names.")],
    version: Annotated[int | None, typer.Option(help="Another version than the one that decided it.")] = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Decide an action again, from what is kept of it. Exit status 1 if the version that decided it says otherwise now."""
    asked = {} if version is None else {"version": str(version)}
    again = connect(state, token_file, person).get(f"actions/{action}/decision", **asked)
    by = f", by {', '.join(again['policies'])}" if again["policies"] else ""
    typer.echo(f"Version {again['version']}: {again['words']}{by}. {again['why']}")
    typer.echo(json.dumps(again["question"], indent=2, sort_keys=True))
    if again["agrees"] is not None:
        typer.echo("That is what was recorded." if again["agrees"] else "That is not what was recorded.")
        raise typer.Exit(0 if again["agrees"] else 1)


@policy.command()
def approve(
    number: Number, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """Approve a proposed version that somebody else wrote."""
    connect(state, token_file, person).post(f"policies/{number}/approve")
    typer.echo(f"Version {number} is approved. It comes into force with: narrowgate policy activate {number}")


@policy.command()
def activate(
    number: Number, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """Put an approved version in force."""
    connect(state, token_file, person).post(f"policies/{number}/activate")
    typer.echo(f"Version {number} is in force.")


@policy.command()
def rollback(
    number: Number,
    reason: Annotated[str, typer.Option(help="What went wrong; it is kept in the record.")],
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Put an earlier version back in force."""
    connect(state, token_file, person).post(f"policies/{number}/rollback", {"reason": reason})
    typer.echo(f"Version {number} is in force again.")


@policy.command("review")
def review_rollback(
    number: Number,
    found: Annotated[str, typer.Option(help="Whether it was right, and what follows. It is kept in the record.")],
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Say, as somebody other than who rolled back to a version, what looking at that came to."""
    connect(state, token_file, person).post(f"policies/{number}/review-rollback", {"found": found})
    typer.echo(f"The roll-back to version {number} is reviewed.")


@policy.command("packs")
def list_packs(state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = "") -> None:
    """Starter packs: policies for a kind of work, with test cases."""
    found = connect(state, token_file, person).get("policies/packs")
    table(("Pack", "What it does"), [[one["name"], one["about"]] for one in found])


@policy.command()
def install(
    pack: Annotated[str, typer.Argument(help="The pack's name, as `narrowgate policy packs` lists it.")],
    folder: Annotated[Path, typer.Argument(help="Where your policies lie.")],
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Write a starter pack beside your policies, to be changed, checked, tested and pushed like them. Replaces no file."""
    found = {one["name"]: one for one in connect(state, token_file, person).get("policies/packs")}
    if pack not in found:
        raise NarrowgateError(f"There is no pack {pack}.", f"There are {', '.join(sorted(found))}.")
    made = write_pack(folder, pack, found[pack])
    typer.echo("\n".join([*map(str, made), f"Change its names to yours, then: narrowgate policy check {folder}"]))


policy.command()(policy_bundle.export)
policy.command()(policy_bundle.verify)


@policy.command("list")
def list_versions(state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = "") -> None:
    """The versions, newest first."""
    rows = connect(state, token_file, person).each("policies")
    fields = ("number", "status", "author", "approved_by", "note")
    table(("Version", "Status", "Author", "Approved by", "Note"), [[row[field] for field in fields] for row in rows])


@policy.command()
def show(
    number: Annotated[int | None, typer.Argument(help="The version's number; the active one otherwise.")] = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Print a version's text."""
    typer.echo(_version(connect(state, token_file, person), number)[1], nl=False)


def _require_well(api: Api, bundle: Bundle) -> None:
    problems = _problems(api, bundle)
    if problems:
        raise NarrowgateError(printed(problems, Output.TEXT, well=""))


def _drafted(api: Api, bundle: Bundle, made: dict[str, Any]) -> int:
    """The number of the draft, at once or when the console has read a text of many policies; meanwhile a terminal shows how far it is."""
    if "number" in made:
        return int(made["number"])
    taken = _wait(api, f"policies/intakes/{made['id']}", made, "Reading", ("read", "of"))
    if taken["version"] is None:
        _require_well(api, bundle)  # each problem, by file and line
        raise NarrowgateError(taken["why"], taken["remedy"])
    return int(taken["version"])


def _problems(api: Api, bundle: Bundle) -> list[Finding]:
    return _wrong(bundle, api.post("policies/check", {"text": bundle.text}))


def _wrong(bundle: Bundle, checked: dict[str, Any]) -> list[Finding]:
    return [
        Finding.at(bundle.at(one["line"]), "policy", f"{one['reason']} {one['suggestion']}".rstrip())
        for one in checked["problems"]
    ]


def _worth_a_look(bundle: Bundle, checked: dict[str, Any]) -> list[Finding]:
    return [
        Finding.at(bundle.at(one["line"]), one["kind"], f"{one['policy']}: {one['says']}".removeprefix(": "), "warning")
        for one in checked["findings"]
    ]


def _wait(api: Api, path: str, job: dict[str, Any], doing: str, counts: tuple[str, str]) -> dict[str, Any]:
    """What is at `path` once it is made or will not be; meanwhile a terminal shows how far it is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        bar, (done, of) = shown.add_task(doing, total=None), counts
        while job["status"] in {"queued", "making", "reading"}:
            time.sleep(EVERY)
            job = api.get(path)
            shown.update(bar, completed=job[done], total=job[of] or None)
    return job


def _in_words(found: dict[str, Any]) -> None:
    """What a change makes of actions, policy by policy."""
    typer.echo(found["in_short"])
    for one in found["differences"]:
        typer.echo(f"  {one['says']} ({one['policy']}): {one['about']}")
        if one["condition"]:
            typer.echo(f"    {one['condition']}")
        for part in one["parts"]:
            typer.echo(f"    {part['name']}: {part['was'] or 'not said'} → {part['now'] or 'not said'}")


def _version(api: Api, number: int | None) -> tuple[int, str]:
    """A version's number and text; of the active one without a number; 0 and nothing where none is active."""
    if number is None:
        found: dict[str, Any] | None = next(api.each("policies", status="active"), None)
    else:
        found = api.get(f"policies/{number}")
    return (found["number"], found["text"]) if found else (0, "")
