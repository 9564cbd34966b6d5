"""Generated scenes: shapes times looks, with exact truth in layers."""
