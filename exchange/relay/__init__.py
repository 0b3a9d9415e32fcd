"""The relay: it stores and forwards what it cannot read, refuses what lacks consent, and keeps the directory."""
