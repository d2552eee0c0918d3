"""The fleet: what many gates have sent to a hub is gathered in one log, and how each of them is."""
