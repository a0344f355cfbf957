"""Commands that work on real AWS as well as on the emulator."""
