"""How bytes travel out."""
