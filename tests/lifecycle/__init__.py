"""What is told of processes and hosts that end."""
