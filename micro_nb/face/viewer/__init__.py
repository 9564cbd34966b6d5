"""``Viewer``: an image of any size in the notebook, with what was found in it and what is drawn on it."""
