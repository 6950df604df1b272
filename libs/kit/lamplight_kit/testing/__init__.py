"""What tests share: fakes that the real parts agree with."""
