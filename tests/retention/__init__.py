"""What of a log goes, and what stays."""
