"""What of a log goes, and what stays: by age, by room on the card, and what somebody wants forgotten."""
