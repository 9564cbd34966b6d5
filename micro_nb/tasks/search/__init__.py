"""``Index``: what it keeps of images, how a query is read, and how rows are ranked and shown."""
