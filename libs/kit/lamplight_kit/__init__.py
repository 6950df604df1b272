"""Lamplight's plumbing without domain: settings, errors, logs, clock, the bus loop, gRPC, store, ONNX sessions."""
