"""Configuration of the documentation (Sphinx)."""

from aptdither import __version__

project = "aptdither"
author = "The aptdither developers"
copyright = "The aptdither developers"
version = release = __version__

extensions = [
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "myst_nb",
]
exclude_patterns = ["_build"]
templates_path: list[str] = []

# The API reference comes from the docstrings.
autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's Parameters say the types, with units and shapes
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
default_role = "py:obj"

# Links into other projects need the network: they are left out of offline builds.
intersphinx_mapping: dict[str, tuple[str, None]] = {}
# `sphinx-build -b linkcheck` checks the links within the documentation; no network is needed.
linkcheck_ignore = [r"https?://"]

# The notebook is executed when the documentation is built, so that it shows what it prints.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300

html_theme = "pydata_sphinx_theme"
html_title = f"aptdither {release}"
html_theme_options = {"navigation_with_keys": False, "show_prev_next": False}
html_sidebars = {"numbers": [], "cli": [], "tutorial": []}
