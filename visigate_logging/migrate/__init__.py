"""Coming from VisiGate's present handler: its two interfaces, its files, and its configuration."""
