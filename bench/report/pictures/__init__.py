"""What the pictures of a run show, as plain data: the report draws it as SVG, `bench figures` by matplotlib."""
