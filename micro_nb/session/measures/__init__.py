"""The measurements: each one function with one declaration, from which evaluation, wording, schema and documentation follow.

What cannot be measured is refused with an error that says why and what to do: an EvidenceError, of units a UnitsError, of planes
an AxesError; of an expression that nothing could measure a LanguageError.
"""
