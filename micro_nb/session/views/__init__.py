"""Views: answers and conversations as HTML, Markdown, plain text and pictures. All text is escaped."""
