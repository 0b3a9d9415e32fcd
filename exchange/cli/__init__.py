"""The command `cbm`: it reads arguments and files, calls what does the work, and prints."""
