"""The queue's addresses."""

from django.urls import path

from approvals import views

app_name = "queue"
urlpatterns = [
    path("", views.queue, name="queue"),
    path("list/", views.holds, name="list"),
    path("<uuid:hold_id>/", views.queue, name="hold"),
    path("<uuid:hold_id>/approve/", views.approve, name="approve"),
    path("<uuid:hold_id>/deny/", views.deny, name="deny"),
    path("<uuid:hold_id>/withdraw/", views.withdraw, name="withdraw"),
]
