"""Addresses of webhooks and deliveries."""

from django.urls import path

from approvals.outbox import views

app_name = "webhooks"
urlpatterns = [
    path("webhooks/", views.webhooks, name="all"),
    path("webhooks/add/", views.add, name="add"),
    path("webhooks/<uuid:webhook_id>/", views.webhook, name="one"),
    path("webhooks/<uuid:webhook_id>/edit/", views.edit, name="edit"),
    path("webhooks/<uuid:webhook_id>/secret/", views.secret, name="secret"),
    path("webhooks/<uuid:webhook_id>/pause/", views.pause, name="pause"),
    path("webhooks/<uuid:webhook_id>/resume/", views.resume, name="resume"),
    path("webhooks/<uuid:webhook_id>/try/", views.try_out, name="try"),
    path("webhooks/<uuid:webhook_id>/remove/", views.remove, name="remove"),
    path("deliveries/", views.deliveries, name="deliveries"),
    path("deliveries/export/", views.deliveries_file, name="deliveries_file"),
    path("deliveries/<uuid:delivery_id>/resend/", views.resend, name="resend"),
]
