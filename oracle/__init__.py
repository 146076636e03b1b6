"""The independent oracle: the facts of profiles computed naively from the whole log, as docs/facts.md says, and what also
follows from the order in which workers went, as docs/refold.md says.

It shares nothing with the workers' path but the contracts (`schemas`), keeps every event of a customer in a plain list, and
computes each fact from the complete list with obvious code. It is slow and holds all it reads; that is its worth. Only the
refold, which asks at thousands of moments, keeps sums of what has come.

    oracle.log.fold(records, at_ms)      the facts of every customer, and the dead letters
    oracle.log.audits(records)           count and sum of every customer's events, in little memory
    oracle.log.Reader().take(record)     what one record after the other holds, for whoever reads a log bit by bit
    oracle.facts.facts(events, at_ms)    one customer's: the bytes that portrait.state.facts must give
    oracle.refold.Life().take(step)      one customer's stages, scores, and ids of actions and lessons, write after write
    oracle.histories.refold(...)         the same for all histories of a customer, those too that a lost tail took back
"""
