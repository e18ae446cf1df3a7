"""How fast streamser is on this machine."""
