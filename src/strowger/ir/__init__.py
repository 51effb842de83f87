"""What a conversation is: requests, the events of a response, and the response they fold into.

Pure data. Nothing here knows a wire format, a provider or a clock.
"""
