"""Addresses of notifications."""

from django.urls import path

from approvals.notifications import views

app_name = "notifications"
urlpatterns = [
    path("", views.notifications, name="all"),
    path("choices/", views.choices, name="choices"),
    path("devices/", views.add_device, name="add_device"),
    path("devices/<uuid:device_id>/remove/", views.remove_device, name="remove_device"),
    path("read/", views.mark_all, name="read_all"),
    path("<uuid:notification_id>/", views.open_one, name="open"),
    path("<uuid:notification_id>/read/", views.mark, {"is_read": True}, name="read"),
    path("<uuid:notification_id>/unread/", views.mark, {"is_read": False}, name="unread"),
]
