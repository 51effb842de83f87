"""What happened: the record of each call."""
