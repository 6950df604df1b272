"""gRPC: servers and channels that name their caller."""
