"""The monitor: what happens on the gateways of this machine, in a terminal. The only place that knows Textual."""
