"""The policies' addresses."""

from django.urls import path

from policies import views

app_name = "policies"
urlpatterns = [
    path("", views.versions, name="versions"),
    path("new/", views.new, name="new"),
    path("<int:number>/", views.version, name="version"),
    path("<int:number>/propose/", views.move, {"to": "propose"}, name="propose"),
    path("<int:number>/approve/", views.move, {"to": "approve"}, name="approve"),
    path("<int:number>/activate/", views.move, {"to": "activate"}, name="activate"),
    path("<int:number>/rollback/", views.rollback, name="rollback"),
]
