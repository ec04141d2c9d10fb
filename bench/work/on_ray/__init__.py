"""Work on a Ray cluster; imported only where --engine ray is asked for."""
