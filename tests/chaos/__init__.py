"""All that can befall several processes at once, for minutes."""
