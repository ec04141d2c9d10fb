"""The pictures of a run for papers: PNG, SVG and PDF by matplotlib (extra `plots`), captions, and a LaTeX table."""
