"""What can be proved of the past, offline, by whoever has the charter. Pure."""
