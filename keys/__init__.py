"""Keys, signatures, sealing and the members' directory; imports nothing of `exchange`."""
