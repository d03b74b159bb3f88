"""The inventory's addresses. One agent's page joins other apps, so it is the console's."""

from django.urls import path

from agents import views

app_name = "agents"
urlpatterns = [path("", views.agents, name="agents")]
