"""Text from records for the eyes of people, for the pages, which read the store alone."""

from visigate_logging.detail.plain import plain

__all__ = ["plain"]
