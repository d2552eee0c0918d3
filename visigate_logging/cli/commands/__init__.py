"""One module for each subcommand, by its name; see :class:`visigate_logging.cli.command.Command`."""
