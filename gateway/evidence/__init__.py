"""证据包: what proves one application, collected into a file, and its verifier that stands alone."""
