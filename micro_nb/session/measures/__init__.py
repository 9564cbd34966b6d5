"""The measurements: each one function with one declaration, from which evaluation, wording, schema and documentation follow."""
