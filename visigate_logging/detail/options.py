"""What an installation may set about detail records."""

import os
from typing import NamedTuple, Self

DEFAULT_MAX_FIELD_BYTES = 65_536


class DetailOptions(NamedTuple):
    """What an installation may set about detail records.

    Args:
        service: name of the application, as administrators know it.
        release: its version.
        in_app: dotted names of the modules that are the application's own code; default: all that is neither
            in the standard library nor in site-packages.
        max_field_bytes: bytes that a text, or all of ``additional_info``, may have; longer ones are cut.
        facets: names of ``additional_info`` by which errors are filtered and counted.
        locals: whether the values of local variables are told.
    """

    service: str = ""
    release: str = ""
    in_app: tuple[str, ...] = ()
    max_field_bytes: int = DEFAULT_MAX_FIELD_BYTES
    facets: tuple[str, ...] = ()
    locals: bool = True

    def or_environment(self) -> Self:
        """Return the same, with what is not set taken from ``VISIGATE_SERVICE`` and ``VISIGATE_RELEASE``."""
        return self._replace(
            service=self.service or os.environ.get("VISIGATE_SERVICE", ""),
            release=self.release or os.environ.get("VISIGATE_RELEASE", ""),
        )
