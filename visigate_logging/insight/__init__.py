"""What counts say: bursts, trends, what comes back, when, and with what. Pure: counts in, verdicts out."""
