"""Where records go: each handler is thin and hands on to a part that can be tested without it."""
