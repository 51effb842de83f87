"""Conformance: the codecs and the lanes against every recording of a real provider."""
