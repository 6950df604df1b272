"""Match: keeps situations and compares live regions with them."""
