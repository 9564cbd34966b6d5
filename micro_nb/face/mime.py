"""Names that what shows a widget and what makes a page of it have in common."""

VIEW = "application/vnd.jupyter.widget-view+json"
LIVE = "micro_nb_live"
"""In the metadata of an output: a live view, whose picture is the output after it."""
