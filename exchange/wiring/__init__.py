"""Composition: picks the engine, the clock and the keys, and hands them to a shell that knows none of them."""
