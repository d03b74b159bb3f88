"""Settings of the tests: the console's, on a database that `conftest.py` names once it runs."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("SECRET_KEY", "tests")
os.environ.setdefault("KEY_PASSPHRASE", "tests")
os.environ.setdefault("DATABASE_URL", "postgresql://nobody@/no_test_has_asked_for_a_database?host=/nonexistent")
if "NARROWGATE_STATE" not in os.environ:  # keys that tests make go here, and with the process that began
    os.environ["NARROWGATE_STATE"] = os.environ["NARROWGATE_TESTS"] = _state = tempfile.mkdtemp(
        prefix="narrowgate-tests-"
    )
    atexit.register(shutil.rmtree, _state, ignore_errors=True)
if "PYTEST_XDIST_WORKER" in os.environ and os.environ["NARROWGATE_STATE"] == os.environ.get("NARROWGATE_TESTS"):
    # Workers inherit the folder of whoever began them: each has keys of its own, so that none changes another's.
    os.environ["NARROWGATE_STATE"] = str(Path(os.environ["NARROWGATE_TESTS"], os.environ["PYTEST_XDIST_WORKER"]))
    Path(os.environ["NARROWGATE_STATE"]).mkdir(exist_ok=True)

from console.settings import *  # noqa: F403 -- the environment must be there first

# People's passwords protect nothing here, and scrypt is slow on purpose.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405 -- whitenoise warns of a folder that is not there
