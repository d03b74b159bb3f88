"""The policies' addresses."""

from django.urls import path

from policies import intake_views, pack_views, rollback_views, trial_views, views

app_name = "policies"
urlpatterns = [
    path("", views.versions, name="versions"),
    path("new/", views.new, name="new"),
    path("new/check/", views.check_text, name="check"),
    path("intakes/<uuid:intake_id>/", intake_views.intake, name="intake"),
    path("intakes/<uuid:intake_id>/progress/", intake_views.progress, name="intake_progress"),
    path("fetch/", views.fetch, name="fetch"),
    path("rollbacks/<uuid:rollback_id>/review/", rollback_views.review, name="rollback_review"),
    path("packs/", pack_views.index, name="packs"),
    path("packs/<slug:name>/", pack_views.pack, name="pack"),
    path("<int:number>/", views.version, name="version"),
    path("<int:number>/propose/", views.move, {"to": "propose"}, name="propose"),
    path("<int:number>/approve/", views.move, {"to": "approve"}, name="approve"),
    path("<int:number>/activate/", views.move, {"to": "activate"}, name="activate"),
    path("<int:number>/rollback/", views.rollback, name="rollback"),
    path("<int:number>/worth-a-look/", views.worth_a_look, name="worth_a_look"),
    path("<int:number>/try/", trial_views.ask, name="try"),
    path("<int:number>/trials/<uuid:trial_id>/", trial_views.trial, name="trial"),
    path("<int:number>/trials/<uuid:trial_id>/stop/", trial_views.stop, name="trial_stop"),
    path("<int:number>/trials/<uuid:trial_id>/progress/", trial_views.progress, name="trial_progress"),
]
