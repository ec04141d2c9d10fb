"""Frozen encoders: images to vectors. Naming and comparing them imports neither torch nor timm.

spec = resolve("dino@size=448,color=grey")
encoder = spec.load()
vectors = encoder.encode([fit_input(as_rgb(image, spec.preprocess), spec.preprocess)])  # float32 (1, 384)
"""

from .errors import EncoderError
from .hub import availability
from .open_clip_text import TextEncoder, has_text_tower, text_encoder
from .options import OPTION_VALUES, OPTIONS, split_alias, split_names, split_options
from .panels import DEFAULT, PANELS, expand
from .placement import find_placement, hardware, one_thread_each
from .preprocess import as_rgb, as_views, fit_input
from .registered import registered
from .registry import check_aliases, descriptor, names, register, resolve
from .spec import EncoderSpec, LoadedEncoder, Placement, Preprocess
from .trainable import Trainable, load_trainable, why_not_trainable

__all__ = [
    "DEFAULT",
    "OPTIONS",
    "OPTION_VALUES",
    "PANELS",
    "EncoderError",
    "EncoderSpec",
    "LoadedEncoder",
    "Placement",
    "Preprocess",
    "TextEncoder",
    "Trainable",
    "as_rgb",
    "as_views",
    "availability",
    "check_aliases",
    "descriptor",
    "expand",
    "find_placement",
    "fit_input",
    "hardware",
    "has_text_tower",
    "load_trainable",
    "names",
    "one_thread_each",
    "register",
    "registered",
    "resolve",
    "split_alias",
    "split_names",
    "split_options",
    "text_encoder",
    "why_not_trainable",
]
