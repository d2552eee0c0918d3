"""What is known of one error."""
