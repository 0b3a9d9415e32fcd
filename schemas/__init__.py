"""Wire objects and record schemas of the exchange: what is sent, how it is written, and what makes it valid."""
