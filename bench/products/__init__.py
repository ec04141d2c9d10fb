"""Products of rows, and systems solved for rows, whose bits do not depend on what else is in the batch.

A library may round a row by its place among the others. So that a fit is the same to the bit whatever is fitted beside
it, all such products are made here: large ones in single precision on a CPU by `bench.loops.tiles`, which has no such
places, the others by calls of which it was tried that they round every row alike. What is listed is all that other
rooms use of it.
"""

from bench.products.backend import NUMPY, Array, Backend, backend_of, fast_products, one_thread
from bench.products.rows import lengths, product, products, unit_rows
from bench.products.shifted import Solutions, solve_shifted

__all__ = [
    "NUMPY", "Array", "Backend", "Solutions", "backend_of", "fast_products", "lengths", "one_thread", "product",
    "products", "solve_shifted", "unit_rows",
]  # fmt: skip
