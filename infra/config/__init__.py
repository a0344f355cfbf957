"""The deployment's configuration, checked at synth."""
