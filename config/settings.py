"""The one settings file. The environment is read here and nowhere else; `.env.example` lists every variable."""

from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from config import secrets

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# --- Where things are kept -------------------------------------------------------------------------------------------

DATA_DIR = Path(env("DATA_DIR", default=str(BASE_DIR / "var"))).resolve()
DATABASE_URL = env("DATABASE_URL", default="")
REDIS_URL = env("REDIS_URL", default="")
EMBEDDED = not DATABASE_URL and not REDIS_URL
DATA_DIR.mkdir(parents=True, exist_ok=True)

# --- Web -------------------------------------------------------------------------------------------------------------

HOST = env("HOST", default="127.0.0.1")
PORT = env.int("PORT", default=8000)
PUBLIC_URL = env("PUBLIC_URL", default=f"http://{HOST}:{PORT}").rstrip("/")
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Where the proxy in front comes from: only it is believed about whom it speaks for. Tries to sign in count by that address.
PROXIES = env.list("PROXIES", default=["127.0.0.1", "::1"])

SECRET_KEY = env("SECRET_KEY", default="")
FIELD_KEYS = env.list("FIELD_KEYS", default=[])
if EMBEDDED:
    SECRET_KEY = SECRET_KEY or secrets.kept(DATA_DIR / "secret_key", secrets.signing_key)
    FIELD_KEYS = FIELD_KEYS or secrets.kept(DATA_DIR / "field_key", secrets.field_key).split(",")
elif not SECRET_KEY or not FIELD_KEYS:
    raise ImproperlyConfigured(
        "SECRET_KEY and FIELD_KEYS must be set where DATABASE_URL or REDIS_URL is (see .env.example)."
    )

SECURE_PUBLIC_URL = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_PUBLIC_URL
SECURE_HSTS_SECONDS = 31_536_000 if SECURE_PUBLIC_URL else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE_PUBLIC_URL else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_ENGINE = "agents.people.sessions"
SESSION_COOKIE_AGE = 14 * 24 * 3600

DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024

INSTALLED_APPS = [
    "config",
    "coaching",
    "memories",
    "helpdesk",
    "agents",
    "config.apps.BackOfficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "simple_history",
]
MIDDLEWARE = [
    "config.middleware.line_in_the_log",
    "django.middleware.security.SecurityMiddleware",
    "config.middleware.content_security_policy",
    "config.middleware.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "agents.middleware.current_member",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = False

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
                "coaching.navigation.counts",
            ]
        },
    }
]

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
WHITENOISE_USE_FINDERS = True

# --- Database --------------------------------------------------------------------------------------------------------

if DATABASE_URL:
    DATABASES = {"default": env.db_url_config(DATABASE_URL)}
    if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
        DATABASES["default"]["ENGINE"] = "config.postgresql"
    # A server that is away is waited for five seconds, and asked anew every other second.
    pool = {"min_size": 0, "max_size": 20, "max_idle": 60, "timeout": 5, "reconnect_timeout": 2}
    DATABASES["default"]["OPTIONS"] = {"pool": pool}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "touchline.sqlite3",
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": (
                    "PRAGMA journal_mode=WAL;"
                    f"PRAGMA synchronous={env('SQLITE_SYNCHRONOUS', default='NORMAL')};"
                    "PRAGMA cache_size=-4000;"
                ),
            },
            # A file, not memory: threads, workers and browsers of the tests open connections of their own.
            "TEST": {"NAME": DATA_DIR / "test.sqlite3"},
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Queue -----------------------------------------------------------------------------------------------------------

CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # turns are long: a busy worker must not hoard ids that another could take
CELERY_TIMEZONE = "UTC"
CELERY_TASK_PUBLISH_RETRY = (
    False  # the clock finds what a message was lost of; whoever asked is not kept waiting for a queue
)
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
    # A Redis that accepts and says nothing would hold whoever sends a message until it speaks again.
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {
        "socket_connect_timeout": 2,
        "socket_timeout": 5,
        "socket_keepalive": True,
    }
else:
    QUEUE_DIR = DATA_DIR / "queue"
    for folder in ("messages", "control"):
        (QUEUE_DIR / folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_URL = "filesystem://localhost"
    CELERY_BROKER_TRANSPORT = "config.queue:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(QUEUE_DIR / "messages"),
        "data_folder_out": str(QUEUE_DIR / "messages"),
        "control_folder": str(QUEUE_DIR / "control"),
        "polling_interval": 0.02,  # the transport looks once a second unless told
    }
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "find-owed-work": {"task": "coaching.tasks.find_owed_work", "schedule": 5.0},
    "serve-slack": {"task": "coaching.tasks.serve_slack", "schedule": 1.0},
    "note-slack-socket": {"task": "coaching.tasks.note_slack_socket", "schedule": 5.0},
    "read-helpdesks": {"task": "coaching.tasks.read_helpdesks", "schedule": 5.0},
    "note-served": {"task": "coaching.tasks.note_served", "schedule": 60.0},
    "flag-sweep": {"task": "coaching.tasks.find_due_sweeps", "schedule": 20.0},
    "retention": {"task": "helpdesk.tasks.delete_expired_transcripts", "schedule": 3600.0},
    "sessions": {"task": "agents.tasks.forget_sessions", "schedule": 3600.0},
    "reminders": {"task": "coaching.tasks.find_reminders", "schedule": 60.0},
    "slack-receipts": {"task": "coaching.tasks.forget_slack_receipts", "schedule": 86_400.0},
    "viewings": {"task": "coaching.tasks.forget_viewings", "schedule": 86_400.0},
    "backtests": {"task": "coaching.tasks.forget_backtests", "schedule": 86_400.0},
}

# --- People ----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "agents.User"
AUTHENTICATION_BACKENDS = ["agents.people.sign_ins.ThrottledBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
PASSWORD_RESET_TIMEOUT = 2 * 3600
EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 20
# Whether mail reaches people: the console is for trying out, and whoever asks for a link there gets it on the page.
MAIL_IS_CONFIGURED = EMAIL_CONFIG["EMAIL_BACKEND"].split(".")[-2] not in ("console", "dummy")
_mail_user = EMAIL_CONFIG.get("EMAIL_HOST_USER") or ""
DEFAULT_FROM_EMAIL = SERVER_EMAIL = (
    _mail_user if "@" in _mail_user else f"touchline@{urlsplit(PUBLIC_URL).hostname or 'localhost'}"
)

LANGUAGE_CODE = "en"
USE_I18N = False  # one language: nothing is looked up in catalogues, and no number asks for the language
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["config.formats"]

# --- Model -----------------------------------------------------------------------------------------------------------

ANTHROPIC_API_KEY = env("ANTHROPIC_API_KEY", default="")
ANTHROPIC_BASE_URL = env("ANTHROPIC_BASE_URL", default="")
COACH_MODEL = env("COACH_MODEL", default="")
COACH_EFFORT = env("COACH_EFFORT", default="")
# Beside https to the public network: host:port of what addresses typed into pages may name.
OUTBOUND_ALLOW = env.list("OUTBOUND_ALLOW", default=[])
COACH_TURNS = env.int("COACH_TURNS", default=8)
COACH_ROUNDS = env.int("COACH_ROUNDS", default=12)
COACH_PROPOSALS = env.int("COACH_PROPOSALS", default=20)
COACH_TURN_SECONDS = env.int("COACH_TURN_SECONDS", default=300)
COACH_STALL_SECONDS = env.int("COACH_STALL_SECONDS", default=60)
COACH_DAILY_TOKENS = env.int("COACH_DAILY_TOKENS", default=0)
# Work mostly waits for a network, so threads do it. Four more than coach turns: the rest goes on when all are taken.
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = COACH_TURNS + 4

# --- Slack -----------------------------------------------------------------------------------------------------------

# The app that any workspace here can install. Without it each brings an app of its own.
SLACK_CLIENT_ID = env("SLACK_CLIENT_ID", default="")
SLACK_CLIENT_SECRET = env("SLACK_CLIENT_SECRET", default="")
SLACK_SIGNING_SECRET = env("SLACK_SIGNING_SECRET", default="")
SLACK_APP_TOKEN = env("SLACK_APP_TOKEN", default="")
SLACK_API_URL = env("SLACK_API_URL", default="https://slack.com/api/")
SLACK_SOCKET_WANTED = DATA_DIR / "slack-socket-wanted"  # there while an app-level token is: `manage.py up` looks at it

# --- API -------------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "agents.api_authentication.TokenAuthentication",
        "agents.api_authentication.PageAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["agents.api_authentication.ScopePermission"],
    "DEFAULT_RENDERER_CLASSES": ["agents.api_rendering.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["agents.api_parsing.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "agents.api_base.schema.Schema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "agents.api_base.problems.problem",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Touchline API",
    "DESCRIPTION": "Times are epoch milliseconds. Errors are application/problem+json.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SERVERS": [{"url": "/"}],
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "config.api_examples.complete"],
    "ENUM_NAME_OVERRIDES": {
        "AgentKind": "agents.models.Agent.Kind",
        "Door": "agents.models.Door",
        "ProposalStatus": "coaching.models.Proposal.Status",
        "FlagStatus": "coaching.models.Flag.Status",
        "FlagKind": "coaching.models.Flag.Kind",
        "ConversationStatus": "helpdesk.models.Conversation.Status",
        "MessageRole": "coaching.models.Message.Role",
        "TurnRole": "helpdesk.transcripts.ROLES",
    },
}

# --- Logs ------------------------------------------------------------------------------------------------------------

LOG_LEVEL = env("LOG_LEVEL", default="INFO")
SENTRY_DSN = env("SENTRY_DSN", default="")
REPORTS = ["reports"] if SENTRY_DSN else []
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"without_keys": {"()": "config.logs.WithoutKeys"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        **{
            name: {
                "()": "config.reports.Reports",
                "dsn": SENTRY_DSN,
                "server_name": urlsplit(PUBLIC_URL).hostname or "",
            }
            for name in REPORTS
        },
    },
    "root": {"handlers": ["console", *REPORTS], "level": LOG_LEVEL},
    # These two print request and response bodies at DEBUG: customers' words would rest in the log.
    "loggers": {
        **{name: {"level": "WARNING"} for name in ("anthropic", "httpx2", "httpcore2", "slack_sdk")},
        # These two name the address of a request that was refused, and there are addresses that let their reader in.
        **{name: {"filters": ["without_keys"]} for name in ("django.request", "django.security.csrf")},
        # uvicorn keeps what it says from the root.
        "uvicorn.error": {"handlers": REPORTS},
        # A line for each task that was told of a row is written by config/logs.py; the clock's own would drown it.
        **{name: {"level": "WARNING"} for name in ("celery.worker.strategy", "celery.app.trace")},
    },
}
