"""What streamser costs, beside others, in one run on one machine."""
