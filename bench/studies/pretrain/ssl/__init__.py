"""Learning a network from images without labels: views, objectives, the loop, what is watched, how it resumes."""
