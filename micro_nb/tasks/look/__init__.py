"""The costly look, taken once: at which scale, through which windows, what is an object, and what only seems to be one."""
