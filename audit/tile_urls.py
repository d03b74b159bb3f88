"""The log's addresses, in the layout of C2SP tlog-tiles."""

from django.urls import path

from audit import tile_views

app_name = "tiles"
urlpatterns = [
    path("checkpoint", tile_views.checkpoint, name="checkpoint"),
    path("tile/<int:level>/<path:place>", tile_views.tile, name="tile"),
    path("tile/entries/<path:place>", tile_views.entries, name="entries"),
]
