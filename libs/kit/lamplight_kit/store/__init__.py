"""The evidence store: sealed pictures in a folder or in S3."""
