"""What ONVIF devices are asked, and what they answer: pure, over bytes; the HTTP is in an adapter."""
