"""The Celery application. Work is found in the database; a task is only a nudge."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
app = Celery("narrowgate")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
