"""People, groups, and what waits for a second administrator, in the API. Writes call the actions that pages call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth.models import Group
from django.db.models import Model, Prefetch, Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import actions
from accounts.actors import require_role
from accounts.api import Visible
from accounts.invitation_actions import issue
from accounts.models import Invitation, Membership, PendingChange, Role, User
from accounts.people import waiting_changes
from accounts.queries import READS_EVERYTHING, people_visible_to
from accounts.refusals import record_refusal
from accounts.role_actions import ask_to_erase, ask_to_recover, ask_to_unlink, confirm_change, drop_change
from accounts.scopes import PEOPLE_WRITE
from agents import actions as inventory
from agents import closing_actions
from agents.api import M, read
from agents.lookups import group_named
from agents.models import Agent
from console.people import api_bodies as bodies
from console.people.changes import link_of
from console.people.editing import edit_person, invite_person
from console.people.groups import KINDS, reviewed_by
from core.errors import Invalid, Refused, RoleRequired

_MEMBERSHIPS = Membership.objects.select_related("user", "group", "added_by", "confirmed_by").order_by(
    "group__name", "id"
)


def _people(user: User) -> QuerySet[User]:
    live = Agent.objects.exclude(status=Agent.Status.RETIRED).order_by("name")
    parts = (Prefetch("memberships", _MEMBERSHIPS), Prefetch("owned_agents", live), "pending_changes")
    return people_visible_to(user).distinct().select_related("manager").prefetch_related(*parts)


def _groups(user: User) -> QuerySet[Group]:
    groups = Group.objects.prefetch_related(Prefetch("memberships", _MEMBERSHIPS))
    return groups if user.has_role(*READS_EVERYTHING) else groups.filter(memberships__user=user)


def _changes(user: User) -> QuerySet[PendingChange]:
    return waiting_changes() if user.has_role(Role.ADMINISTRATOR) else PendingChange.objects.none()


TRIED = {"partial_update": "change", "create": "invite", "invitation": "invite", "reviews": "let review"}
"""What a call tries, where its name is another than the pages'."""


class Changing(Visible[M]):
    """A collection whose changes leave an entry where they are refused."""

    write_scope = PEOPLE_WRITE

    def handle_exception(self, error: Exception) -> Response:
        """The refusal as a problem; the refused transaction is gone, its entry stays."""
        hidden = isinstance(error, RoleRequired) or self.request.method in SAFE_METHODS
        if isinstance(error, Refused) and not hidden:
            tried = TRIED.get(self.action, self.action.replace("_", " "))
            record_refusal(tried, self.about(), actor=self.person, error=error)
        return super().handle_exception(error)

    def about(self) -> User | Group | None:
        """Whom or what the refused change was about."""
        raise NotImplementedError


class ByKey(Changing[M]):
    """A collection for administrators to change, whose members are found by the field that `lookup_field` names."""

    lookup_value_converter = "str"

    def found(self) -> M:
        """The member, for an administrator. Raises RoleRequired and Http404."""
        require_role(self.person, Role.ADMINISTRATOR)
        return self.get_object()

    def said(self, code: int = status.HTTP_200_OK, **key: object) -> Response:
        """The answer that shows the member with this key, as it is now."""
        return Response(self.get_serializer(self.get_queryset().get(**key)).data, status=code)


def _role(text: str) -> Q:
    return Q(roles__contains=[text])


class PersonViewSet(ByKey[User]):
    """People with an account."""

    queryset = User.objects.none()
    serializer_class = bodies.PersonSerializer
    visible = _people
    lookup_field = "username"
    filters: ClassVar = {
        "username": "username",
        "q": "name__icontains",
        "role": _role,
        "group": "memberships__group__name",
        "person": "person",
    }
    ordering: tuple[str, ...] = ("name", "id")

    def about(self) -> User | None:
        """The person, if there is one."""
        return User.objects.filter(username=self.kwargs.get("username")).first()

    @extend_schema(request=bodies.InviteBody, responses={201: bodies.InvitationSaid})
    def create(self, request: Request) -> Response:
        """Make an account; answers with the link that sets its password, which is mailed too."""
        require_role(self.person, Role.ADMINISTRATOR)
        given = read(bodies.InviteBody, request)
        given["groups"] = [group_named(name) for name in given["groups"]]
        return self._link(*invite_person(given, self.person), status.HTTP_201_CREATED)

    @extend_schema(request=bodies.PersonBody, responses=bodies.PersonSerializer)
    def partial_update(self, request: Request, username: str) -> Response:
        """Change name, address, manager, roles. Making or dismissing an administrator then waits for a second one."""
        one = self.found()
        said = read(bodies.PersonBody, request)
        if said.get("manager"):
            said["manager"] = account_named(said["manager"], "manager")
        given = {"name": one.name, "email": one.email, "manager": one.manager, "roles": one.roles, **said}
        edit_person(one, given, self.person)
        return self.said(id=one.id)

    @extend_schema(request=None, responses={201: bodies.InvitationSaid})
    @action(detail=True, methods=["post"])
    def invitation(self, request: Request, username: str) -> Response:
        """Give somebody a new way in: what let them in before ends, and their memberships begin anew."""
        one = self.found()
        invitation, secret = issue(one, actor=self.person)
        return self._link(one, invitation, secret, status.HTTP_201_CREATED)

    @extend_schema(request=bodies.OtherBody, responses=bodies.PersonSerializer)
    @action(detail=True, methods=["post"])
    def link(self, request: Request, username: str) -> Response:
        """Say that another account is of the same person, who then counts once."""
        one, other = self.found(), read(bodies.OtherBody, request)["other"]
        actions.link(one, account_named(other, "other"), actor=self.person)
        return self.said(id=one.id)

    @extend_schema(request=None, responses=bodies.PersonSerializer)
    @action(detail=True, methods=["post"])
    def unlink(self, request: Request, username: str) -> Response:
        """Ask that the account counts as a person of its own; a second administrator confirms."""
        return self._do(ask_to_unlink)

    @extend_schema(request=None, responses=bodies.PersonSerializer)
    @action(detail=True, methods=["post"])
    def erase(self, request: Request, username: str) -> Response:
        """Ask that a closed account's name and address are destroyed, in the ledger too; a second administrator confirms."""
        return self._do(ask_to_erase)

    @extend_schema(request=None, responses=bodies.PersonSerializer)
    @action(detail=True, methods=["post"])
    def recover(self, request: Request, username: str) -> Response:
        """Ask that passkeys and second factors which somebody lost end; a second administrator confirms."""
        return self._do(ask_to_recover)

    @extend_schema(request=None, responses=bodies.PersonSerializer)
    @action(detail=True, methods=["post"])
    def deactivate(self, request: Request, username: str) -> Response:
        """Close the account: its sessions and API tokens, and what agents do for it, end now."""
        return self._do(closing_actions.deactivate)

    @extend_schema(request=None, responses=bodies.PersonSerializer)
    @action(detail=True, methods=["post"])
    def reactivate(self, request: Request, username: str) -> Response:
        """Open a closed account again; its memberships begin anew."""
        return self._do(actions.reactivate)

    def _do(self, act: Callable[..., object]) -> Response:
        one = self.found()
        act(one, actor=self.person)
        return self.said(id=one.id)

    def _link(self, one: User, invitation: Invitation, secret: str, code: int) -> Response:
        person = self.get_serializer(self.get_queryset().get(id=one.id)).data
        said = {"person": person, "link": link_of(secret), "expires_at": invitation.expires_at}
        return Response(said, status=code, headers={"Cache-Control": "no-store"})


class GroupViewSet(ByKey[Group]):
    """Groups of people."""

    queryset = Group.objects.none()
    serializer_class = bodies.GroupSerializer
    visible = _groups
    lookup_field = "name"
    ordering: tuple[str, ...] = ("name",)

    def about(self) -> Group | None:
        """The group, if there is one."""
        return Group.objects.filter(name=self.kwargs.get("name")).first()

    @extend_schema(request=bodies.GroupBody, responses={201: bodies.GroupSerializer})
    def create(self, request: Request) -> Response:
        """Make a group."""
        made = actions.create_group(read(bodies.GroupBody, request)["name"], actor=self.person)
        return self.said(status.HTTP_201_CREATED, id=made.pk)

    @extend_schema(request=bodies.MemberBody, responses=bodies.GroupSerializer)
    @action(detail=True, methods=["post"])
    def add(self, request: Request, name: str) -> Response:
        """Add a member, who counts for what is asked from now on."""
        group, person = self.found(), account_named(read(bodies.MemberBody, request)["person"], "person")
        actions.add_member(person, group, actor=self.person)
        return self.said(id=group.pk)

    @extend_schema(request=bodies.MemberBody, responses=bodies.GroupSerializer)
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, name: str) -> Response:
        """Let a membership count for what was asked before it began, as a second administrator."""
        return self._member(request, actions.confirm_member)

    @extend_schema(request=bodies.MemberBody, responses=bodies.GroupSerializer)
    @action(detail=True, methods=["post"])
    def remove(self, request: Request, name: str) -> Response:
        """End a membership."""
        return self._member(request, actions.remove_member)

    @extend_schema(methods=["get"], responses=bodies.ReviewedSerializer(many=True), filters=False)
    @extend_schema(methods=["post"], request=bodies.ReviewBody, responses=bodies.ReviewedSerializer(many=True))
    @action(detail=True, methods=["get", "post"], pagination_class=None)
    def reviews(self, request: Request, name: str) -> Response:
        """What its members may review; or let them review a segment, a resource or an agent."""
        group = self.get_object()
        if request.method == "POST":
            inventory.let_review(self.found(), self._target(request), actor=self.person)
        return self._reviews(group)

    @extend_schema(request=bodies.ReviewBody, responses=bodies.ReviewedSerializer(many=True))
    @action(detail=True, methods=["post"], url_path="stop-review")
    def stop_review(self, request: Request, name: str) -> Response:
        """End what its members may review."""
        group = self.found()
        inventory.stop_review(group, self._target(request), actor=self.person)
        return self._reviews(group)

    def _member(self, request: Request, act: Callable[..., object]) -> Response:
        group, username = self.found(), read(bodies.MemberBody, request)["person"]
        membership = group.memberships.filter(user__username=username).first()
        if membership is None:
            raise Invalid("person", f"{username[:60]} is not in {group.name}.", "See the group's members.")
        act(membership, actor=self.person)
        return self.said(id=group.pk)

    def _target(self, request: Request) -> Any:  # noqa: ANN401 -- one of three models
        given = read(bodies.ReviewBody, request)
        found: Model | None = KINDS[given["kind"]].objects.filter(name=given["name"]).first()
        if found is None:
            raise Invalid("name", f"There is no {given['kind']} called {given['name'][:60]}.", "See the inventory.")
        return found

    def _reviews(self, group: Group) -> Response:
        listed: Any = reviewed_by([group])[group.pk]  # the stubs know no lists
        return Response(bodies.ReviewedSerializer(listed, many=True).data)


class ChangeViewSet(Changing[PendingChange]):
    """What waits for a second administrator."""

    queryset = PendingChange.objects.none()
    serializer_class = bodies.ChangeSerializer
    visible = _changes
    ordering: tuple[str, ...] = ("asked_at", "id")
    lookup_value_converter = "uuid"

    def about(self) -> User | None:
        """The person whose change it is."""
        asked = PendingChange.objects.select_related("user").filter(id=self.kwargs["pk"]).first()
        return asked.user if asked else None

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: UUID) -> Response:
        """Confirm it, as an administrator who did not ask for it; it is made then."""
        return self._do(pk, confirm_change)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def drop(self, request: Request, pk: UUID) -> Response:
        """Drop it."""
        return self._do(pk, drop_change)

    def _do(self, pk: UUID, act: Callable[..., object]) -> Response:
        require_role(self.person, Role.ADMINISTRATOR)
        if not self.get_queryset().filter(id=pk).exists():
            raise Http404
        act(pk, actor=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)


def account_named(username: str, field: str) -> User:
    """The account with this user name, closed or not. Raises Invalid about `field`."""
    found = User.objects.filter(username=username).first()
    if found is None:
        raise Invalid(field, f"Nobody here is called {username[:60]}.", "Use the user name they sign in with.")
    return found
