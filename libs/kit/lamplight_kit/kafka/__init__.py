"""The bus: what handlers and the loop say to each other, and the loop itself."""
