"""The demo's pictures: encoding, composing and the scenes made of the committed footage."""
