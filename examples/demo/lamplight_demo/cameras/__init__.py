"""Cameras made of files: a small RTSP server and a snapshot server, on loopback, for the demo and for tests."""
