"""The national node: validates, signs, seals, sends, receives, verifies, and hands over to ministries."""
