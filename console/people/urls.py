"""Addresses of people and groups."""

from django.urls import path

from console.people import changes, groups, views

app_name = "people"
urlpatterns = [
    path("people/", views.people, name="all"),
    path("people/export.csv", views.export, name="export"),
    path("invite/", views.invite, name="invite"),
    path("people/changes/<uuid:change_id>/confirm/", views.pending, {"to": "confirm"}, name="confirm"),
    path("people/changes/<uuid:change_id>/drop/", views.pending, {"to": "drop"}, name="drop"),
    path("people/memberships/<int:membership_id>/confirm/", views.membership, {"to": "confirm"}, name="confirm_member"),
    path("people/memberships/<int:membership_id>/end/", views.membership, {"to": "end"}, name="end_member"),
    path("people/<str:username>/", views.person, name="person"),
    path("people/<str:username>/edit/", views.edit, name="edit"),
    path("people/<str:username>/join/", views.join, name="join"),
    path("people/<str:username>/invitation/", changes.invitation, name="invitation"),
    *(path(f"people/<str:username>/{to}/", changes.change, {"to": to}, name=to) for to in changes.CHANGES),
    path("groups/", groups.groups, name="groups"),
    path("groups/<str:name>/", groups.group, name="group"),
    path("groups/<str:name>/add/", groups.add, name="add"),
    path("groups/<str:name>/let-review/", groups.let_review, name="let_review"),
    path("groups/<str:name>/stop-review/", groups.stop_review, name="stop_review"),
]
