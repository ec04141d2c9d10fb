"""What of this machine and installation works, what is missing, and what to do about it. It changes nothing."""
