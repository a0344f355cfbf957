"""What a reader looks up, and the scripts that write its generated pages."""
