"""The queue's addresses."""

from django.urls import path

from approvals import alike_views, figure_views, glass_views, grant_views, views, waiting_views

app_name = "queue"
urlpatterns = [
    path("", views.queue, name="queue"),
    path("list/", views.holds, name="list"),
    path("<uuid:hold_id>/challenge/", views.challenge, name="challenge"),
    path("grants/", grant_views.grants, name="grants"),
    path("grants/<uuid:grant_id>/revoke/", grant_views.revoke, name="revoke"),
    path("away/", waiting_views.away, name="away"),
    path("away/back/", waiting_views.back, name="back"),
    path("<uuid:hold_id>/ask/", waiting_views.ask_owner, name="ask_owner"),
    path("<uuid:hold_id>/answer/<uuid:question_id>/", waiting_views.answer, name="answer"),
    path("figures/", figure_views.own, name="figures"),
    path("<uuid:hold_id>/", views.queue, name="hold"),
    path("glass/", glass_views.broken, name="glass"),
    path("<uuid:hold_id>/break/", glass_views.break_glass, name="break"),
    path("<uuid:hold_id>/look/", glass_views.look, name="look"),
    path("<uuid:hold_id>/wider/", grant_views.wider, name="wider"),
    path("<uuid:hold_id>/alike/", alike_views.alike, name="alike"),
    path("<uuid:hold_id>/alike/decide/", alike_views.decide_alike, name="decide_alike"),
    path("<uuid:hold_id>/approve/", views.approve, name="approve"),
    path("<uuid:hold_id>/deny/", views.deny, name="deny"),
    path("<uuid:hold_id>/hand-over/", views.hand_over, name="hand_over"),
    path("<uuid:hold_id>/retract/", views.retract, name="retract"),
    path("<uuid:hold_id>/withdraw/", views.withdraw, name="withdraw"),
]
