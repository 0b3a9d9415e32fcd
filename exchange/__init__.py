"""Secure exchange of confidence-building measures; imports nothing, so that `exchange.client` stands alone."""
