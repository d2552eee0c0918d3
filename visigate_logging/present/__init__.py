"""What people read of an error: the same for mails, pages and the command line."""
