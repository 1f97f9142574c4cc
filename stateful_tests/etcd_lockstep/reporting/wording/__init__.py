"""Operations and answers in words: etcd's nouns, one line each."""

from etcd_lockstep.reporting.wording.answers import NONE, answer_fields, event_in_words, kv_in_words, telling
from etcd_lockstep.reporting.wording.operations import operation_in_words
from etcd_lockstep.reporting.wording.values import printable, quoted

__all__ = [
    "NONE",
    "answer_fields",
    "event_in_words",
    "kv_in_words",
    "operation_in_words",
    "printable",
    "quoted",
    "telling",
]
