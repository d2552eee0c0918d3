"""How processes and the host begin and end: who is there, who died without a word, and when the power was away."""
