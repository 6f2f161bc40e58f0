"""What is done to pictures and who does it: operations, presets, safe decoding, providers and routing."""
