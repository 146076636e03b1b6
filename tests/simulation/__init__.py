"""The seeded simulation: the very batch loop with a virtual log, store, clock, and workers that come to harm.

    make simulate SEEDS=10000                  many seeds; the last line is JSON
    python -m tests.simulation --seed 17       one seed again, told step by step
    make fault-proof                           each mechanism taken out: would it be noticed?

What is real: `streams.loop`, `streams.profiles`, `streams.gate`, `streams.faust_log`, `portrait`, the contract of the store.
What is virtual: Kafka (`world`), the store behind a connection that breaks (`store`), processes (`worker`, `fleet`), time.
Everything that happens is drawn from one ``random.Random(seed)``, and the event loop (`clockwork`) waits for nothing outside, so
a seed replays its failure. `judge` says what is wrong in the end, by the independent `oracle`.
"""
