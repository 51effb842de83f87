"""The line: from an accepted call to its answer. Start reading at `pipeline.py`."""
