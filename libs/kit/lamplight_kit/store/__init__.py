"""The evidence store: sealed pictures in a folder or in S3."""

from lamplight_kit.store.evidence import EvidenceStore, picture_key

__all__ = ["EvidenceStore", "picture_key"]
