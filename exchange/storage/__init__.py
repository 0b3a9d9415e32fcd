"""Storage: small protocols, and the engines that keep them."""
