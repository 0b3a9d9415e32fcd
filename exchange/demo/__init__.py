"""The worked exchange: a relay and four nodes as processes on this machine, honest and hostile, with what happened."""
