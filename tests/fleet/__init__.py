"""What many gates send to one place, with a real server."""
