"""OpenAI's Responses API, as OpenAI, Azure, the ChatGPT backend of Codex and others speak it.

`wire` holds its words.
"""
