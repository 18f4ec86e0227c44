"""How Sphinx builds these pages: ``sphinx-build -W --keep-going -b html docs docs/_build/html``."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import class_pages  # noqa: E402

import lazy4d  # noqa: E402

project = "lazy4d"
author = "The lazy4d developers"
copyright = f"2026, {author}. BSD-3-Clause"
version = release = lazy4d.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", *(f"gallery/**/*.{ending}" for ending in ("ipynb", "py", "zip", "md5", "json"))]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
default_role = "py:obj"  # `compute` in a docstring: a link where there is such a thing, else code
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# -- reference ---------------------------------------------------------------------------------------------------------
class_pages.write_pages(HERE / "reference")
autosummary_generate = False
autodoc_typehints = "none"  # types stand in the tables of parameters
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# -- gallery -----------------------------------------------------------------------------------------------------------
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"__init__\.py",
    "image_scrapers": ("saved_figures.saved_figures",),
    "reset_modules": ("saved_figures.new_folder",),
    "reset_modules_order": "both",
    "default_thumb_file": str(HERE / "images" / "one_pass.png"),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "abort_on_example_error": False,
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
}

# -- look --------------------------------------------------------------------------------------------------------------
html_theme = "pydata_sphinx_theme"
html_title = "lazy4d"
html_static_path = ["_static"]
html_css_files = ["lazy4d.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "lazy4d"},
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": False,
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
html_sidebars = {"index": [], "changelog": [], "installation": [], "tutorial": []}


def as_method(app, what, name, obj, options, lines) -> None:
    """Methods are functions of a signal, whose first parameter is the signal itself: not told on a method's page."""
    shapes = re.compile(r"([\[(])\*(?=\w+[,\])])")  # as in [*scan_shape, 2]: no emphasis
    lines[:] = [line if "``" in line else shapes.sub(r"\1\\*", line) for line in lines]
    if what != "method" or "Parameters" not in lines:
        return
    first = next(iter(inspect.signature(obj).parameters), "self")
    start = lines.index("Parameters") + 2
    if not lines[start].startswith(f"{first} :"):
        return
    stop = start + 1
    while stop < len(lines) and (lines[stop].startswith(" ") or not lines[stop].strip()):
        stop += 1
    told = stop < len(lines) and not (stop + 1 < len(lines) and lines[stop + 1].startswith("---"))
    del lines[start if told else start - 2 : stop]


def setup(app) -> None:
    """Look at docstrings before numpydoc does."""
    app.connect("autodoc-process-docstring", as_method, priority=100)
