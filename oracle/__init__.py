"""The independent oracle: the facts of profiles computed naively from the whole log, as docs/facts.md says.

It shares nothing with the workers' path but the contracts (`schemas`), keeps every event of a customer in a plain list, and
computes each fact from the complete list with obvious code. It is slow and holds all it reads; that is its worth.

    events = {}
    for record, found in oracle.log.read(records):          # what counts: events, and dead letters
        ...
    oracle.facts.facts(events["C1"], at_ms)                 # the bytes that portrait.state.facts must give
"""
