"""Consent: who may send what to whom, decided by one pure function (provision 1.7)."""
