"""Builders that every kind of test shares; nothing here is a test."""
