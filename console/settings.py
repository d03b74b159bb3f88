"""The one settings file. Everything that differs between machines comes from the environment; docs/settings.md lists it.

There is no default secret key and no default database: a missing one stops the start with a sentence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import django_stubs_ext
from csp.constants import NONCE, NONE, SELF

from console.database_url import database_from
from core.env import flag, number, secret, text, words

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

# ---- the essentials ----
SECRET_KEY = secret("SECRET_KEY")
DEBUG = False
ALLOWED_HOSTS = words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CONSOLE_URL = text("CONSOLE_URL", "http://localhost:8000")
GATEWAY_URL = text("GATEWAY_URL", "https://localhost:8443")
STATE_DIR = Path(text("NARROWGATE_STATE", str(BASE_DIR / ".narrowgate")))
KEY_PASSPHRASE = secret("KEY_PASSPHRASE", "")
LEDGER_KEY = text("LEDGER_KEY", "")
LEDGER_KEY_PIN = secret("LEDGER_KEY_PIN", "")
AGENTS_CA_KEY = text("AGENTS_CA_KEY", "")
AGENTS_CA_KEY_PIN = secret("AGENTS_CA_KEY_PIN", "")
POLICY_KEY = text("POLICY_KEY", "")
POLICY_KEY_PIN = secret("POLICY_KEY_PIN", "")
POLICY_KEYS = words("POLICY_KEYS")
POLICY_REPOSITORY = text("POLICY_REPOSITORY", "")
POLICY_REPOSITORY_TOKEN = secret("POLICY_REPOSITORY_TOKEN", "")
POLICY_REPOSITORY_KEY = secret("POLICY_REPOSITORY_KEY", "")
POLICY_REPOSITORY_HOST_KEY = text("POLICY_REPOSITORY_HOST_KEY", "")
TOKEN_KEY = text("TOKEN_KEY", "")
TOKEN_KEY_PIN = secret("TOKEN_KEY_PIN", "")
VAULT_KEY = text("VAULT_KEY", "")
VAULT_KEY_PIN = secret("VAULT_KEY_PIN", "")
LEDGER_WITNESSES = text("LEDGER_WITNESSES", "")
LEDGER_FOLDER = text("LEDGER_FOLDER", "")
LEDGER_STORE = text("LEDGER_STORE", "")
LEDGER_STORE_ENDPOINT = text("LEDGER_STORE_ENDPOINT", "")
LEDGER_STORE_DAYS = number("LEDGER_STORE_DAYS", 3650)
LEDGER_TSA = text("LEDGER_TSA", "")
LEDGER_TSA_ROOTS = text("LEDGER_TSA_ROOTS", "")
TRUST_DOMAIN = text("TRUST_DOMAIN", "narrowgate.test")
NODE_NAME = text("NODE_NAME", "node-1")

INSTALLED_APPS = [
    "console",
    "audit",
    "monitoring",
    "gateway",
    "approvals",
    "policies",
    "activity",
    "agents",
    "accounts",
    "ledger",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.forms",
    "channels",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "guardian",
    "csp",
    "django_htmx",
    "pgtrigger",
    "rest_framework",
    "drf_spectacular",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "console.no_nul.no_nul",
    "console.bodies.bounded",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.once.OncePerPage",
]

ROOT_URLCONF = "console.urls"
ASGI_APPLICATION = "console.asgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.navigation.navigation",
            ],
        },
    },
]


# ---- the database: one login a process, none a superuser ----
DATABASE_URL = secret("DATABASE_URL")
DATABASE_GATEWAY_URL = secret("DATABASE_GATEWAY_URL", DATABASE_URL)
DATABASE_SEQUENCER_URL = secret("DATABASE_SEQUENCER_URL", DATABASE_URL)
DATABASES = {"default": database_from(DATABASE_URL, shared=number("DATABASE_CONNECTIONS", 40))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ---- queues and pushes: in memory in the one-process server, Redis and a broker in production ----
REDIS_URL = secret("REDIS_URL", "")
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"},
}
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}
CELERY_BROKER_URL = secret("CELERY_BROKER_URL", "memory://localhost")
CELERY_BROKER_TRANSPORT_OPTIONS = {"polling_interval": 0.05} if CELERY_BROKER_URL == "memory://localhost" else {}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 60
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "expire-due-holds": {"task": "approvals.tasks.expire_due", "schedule": 1.0, "options": {"expires": 1}},
    "recount": {"task": "monitoring.tasks.recount", "schedule": 600.0, "options": {"expires": 600}},
    "make-reports": {"task": "audit.tasks.make_reports", "schedule": 1.0, "options": {"expires": 1}},
    "take-in-policies": {"task": "policies.tasks.take_in", "schedule": 1.0, "options": {"expires": 1}},
    "make-trials": {"task": "policies.tasks.make_trials", "schedule": 1.0, "options": {"expires": 1}},
    "chase-rollbacks": {"task": "policies.tasks.chase_rollbacks", "schedule": 60.0, "options": {"expires": 60}},
    "chase-glass": {"task": "approvals.tasks.chase_glass", "schedule": 60.0, "options": {"expires": 60}},
    "remove-old-reports": {"task": "audit.tasks.remove_old_reports", "schedule": 3600.0, "options": {"expires": 3600}},
    "notify": {"task": "approvals.tasks.notify", "schedule": 1.0, "options": {"expires": 1}},
    "send-mail": {"task": "approvals.tasks.send_mail", "schedule": 2.0, "options": {"expires": 2}},
    "send-pushes": {"task": "approvals.tasks.send_pushes", "schedule": 1.0, "options": {"expires": 1}},
    "send-webhooks": {"task": "approvals.tasks.send_webhooks", "schedule": 1.0, "options": {"expires": 1}},
    "send-invitations": {"task": "accounts.tasks.send_invitations", "schedule": 5.0, "options": {"expires": 5}},
    "forget-notifications": {"task": "approvals.tasks.forget_notifications", "schedule": 3600.0},
    "rotate-logins": {"task": "agents.tasks.rotate_logins", "schedule": 20.0, "options": {"expires": 20}},
    "forget-used-proofs": {"task": "agents.tasks.forget_used", "schedule": 60.0, "options": {"expires": 60}},
    "look-after-agents": {"task": "agents.tasks.look_after", "schedule": 3600.0, "options": {"expires": 3600}},
    "give-up-unreported": {"task": "activity.tasks.give_up_unreported", "schedule": 600.0, "options": {"expires": 600}},
    "detect": {"task": "monitoring.tasks.detect", "schedule": 5.0, "options": {"expires": 5}},
}

# ---- agents ----
AGENT_UNUSED_DAYS = number("AGENT_UNUSED_DAYS", 90)
AGENT_OWNERLESS_DAYS = number("AGENT_OWNERLESS_DAYS", 14)

# ---- detection ----
CONTAIN_AUTOMATICALLY = flag("CONTAIN_AUTOMATICALLY", default=True)

# ---- reports ----
REPORT_DAYS = number("REPORT_DAYS", 90)

# ---- people ----
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "allauth.account.auth_backends.AuthenticationBackend",
    "guardian.backends.ObjectPermissionBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
ANONYMOUS_USER_NAME = None  # guardian: nobody is anonymous here
GUARDIAN_MONKEY_PATCH_USER = False
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "console:home"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key"}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_TOTP_ISSUER = "Narrowgate"
MFA_ADAPTER = "accounts.passkeys.MFAAdapter"

# ---- mail ----
EMAIL_BACKEND = text("EMAIL_BACKEND", "django.core.mail.backends.dummy.EmailBackend")
EMAIL_HOST = text("EMAIL_HOST", "localhost")
EMAIL_PORT = number("EMAIL_PORT", 25)
EMAIL_HOST_USER = text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = secret("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = flag("EMAIL_USE_TLS")
EMAIL_TIMEOUT = 10
EMAIL_FILE_PATH = text("EMAIL_FILE_PATH", str(STATE_DIR / "mail"))
DEFAULT_FROM_EMAIL = text("EMAIL_FROM", "narrowgate@localhost")

# ---- the browser ----
_HTTPS = CONSOLE_URL.startswith("https://")
SECURE_SSL_REDIRECT = _HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health$"]
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if flag("BEHIND_TLS_PROXY") else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "narrowgate_session"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_SECURE = _HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "narrowgate_csrf"
CSRF_TRUSTED_ORIGINS = [CONSOLE_URL]
CSRF_FAILURE_VIEW = "console.views.csrf_failed"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "font-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "worker-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 48 * 1024 * 1024  # `console/bodies.py` allows most addresses far less
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200

STATIC_URL = "/static/"
STATIC_ROOT = STATE_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static", ("help", BASE_DIR / "docs" / "images")]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

# ---- the API ----
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.ApiTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": "600/min"},
    "EXCEPTION_HANDLER": "core.problems.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Narrowgate",
    "DESCRIPTION": "The console's API, for people. Agents use the gateway's door.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "ReportKindEnum": "audit.models.Report.Kind",
        "ReportFormatEnum": "audit.models.Report.Format",
    },
    "SERVE_AUTHENTICATION": ["accounts.authentication.ApiTokenAuthentication"],
    "POSTPROCESSING_HOOKS": ["console.api_problems.describe"],
}

LOGGING_CONFIG = None  # console/logs.py sets structlog up for every process
