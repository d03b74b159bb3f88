"""The console's door: pages and REST API over HTTP, the live queue and live incidents over websockets."""

import os
import warnings

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
# WhiteNoise hands out files as plain iterators; Django reads them in a thread, and warns of it at each start.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")
http = get_asgi_application()

# Models can be imported only once Django is set up.
from approvals.consumers import websocket_urls as queue_urls  # noqa: E402
from monitoring.consumers import websocket_urls as incident_urls  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter([*queue_urls, *incident_urls]))),
    }
)
