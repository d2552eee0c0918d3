"""Is error handling itself well: the log, the state directory, the processes, backups, the mail server."""
