"""When a call's recording is complete, and which leg belongs on which channel. No I/O."""
