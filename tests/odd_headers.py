"""A header's name that is not UTF-8, as producers in other languages may write it: Kafka takes it."""

from __future__ import annotations

NOT_UTF8 = b"\xff\xfe\xed\xa0"


class NotUtf8(str):
    """`_DefaultRecordBatchBuilderPy` of aiokafka writes NOT_UTF8 for it; the compiled builder would take no such thing."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return NOT_UTF8
