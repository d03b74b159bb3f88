"""The addresses of tool servers in the API."""

from django.urls import path

from agents import tool_api as views

urlpatterns = [
    path("v1/resources/<str:name>/tools", views.ToolsView.as_view(), name="tools"),
    path("v1/resources/<str:name>/tools/read", views.ReadToolsView.as_view(), name="read_tools"),
    path("v1/resources/<str:name>/tools/accept", views.AcceptToolsView.as_view(), name="accept_tools"),
    path("v1/resources/<str:name>/tools/withdraw", views.WithdrawToolView.as_view(), name="withdraw_tool"),
    path("v1/resources/<str:name>/tools/command", views.ToolCommandView.as_view(), name="tool_command"),
]
