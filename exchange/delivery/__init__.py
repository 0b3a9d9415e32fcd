"""Delivery: the time rules and the stream accounting that sender, relay and receiver share."""
