"""The public functions of `import bench`: their arguments are the words of the command line, their results show
themselves in a notebook. `bench/__init__.py` gives them their names."""
