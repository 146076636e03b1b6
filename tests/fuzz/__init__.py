"""Fuzzing of the decoder and of the batch loop: ``make fuzz SECONDS=60``. See docs/reliability.md."""
