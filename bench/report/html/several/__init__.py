"""Several runs on one page: what they share, their leaderboards side by side, and the verdict of each."""
