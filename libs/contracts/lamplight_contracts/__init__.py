"""What Lamplight's stages say to each other: the topics, and helpers that every reader of them needs."""
