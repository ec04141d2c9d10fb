"""Files that are whole or absent, checksums, and who works on what."""
