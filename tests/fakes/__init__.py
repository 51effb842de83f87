"""Strict stand-ins for vendors' clouds, on loopback sockets: they refuse what the vendor refuses, in its words.

`FakeAnthropic` (anthropic.py) speaks Messages, `FakeChat` (chat.py) Chat Completions in several vendors' flavours,
`FakeResponses` (responses.py) Responses over HTTP and WebSocket, as OpenAI's public API or as ChatGPT's Codex backend,
`FakeGemini` (gemini.py) generateContent behind an API key, a project's path or Code Assist.
Without a script they answer by a small brain (brain.py) that drives a client through a real tool loop; a script
(script.py) makes them say, refuse or break anything. Every request is recorded.

    async with FakeAnthropic() as fake:          # in the test's own loop
    with FakeChat(DEEPSEEK).in_thread() as fake: # for clients that are subprocesses
    async with FakeAnthropic(tls=authority) as fake:  # over real TLS, of a throw-away authority (authority.py)
    python -m tests.fakes.anthropic --port 0     # by hand; prints its base URL
"""
