"""The errors on pages: a Flask blueprint, and the same pages stand-alone."""

from visigate_logging.exceptions import MissingExtraError

try:
    import flask  # noqa: F401 -- whether it is there
except ImportError as error:
    raise MissingExtraError("flask", "web") from error

from visigate_logging.health.actions import actions_of
from visigate_logging.health.metrics import metrics_of
from visigate_logging.health.state_dir import health_of, messages_of, recoveries_of
from visigate_logging.web.blueprint import NEEDED_POLICY, create_blueprint

__all__ = [
    "NEEDED_POLICY",
    "actions_of",
    "create_blueprint",
    "health_of",
    "messages_of",
    "metrics_of",
    "recoveries_of",
]
