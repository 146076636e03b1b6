"""What a run comes to."""

from __future__ import annotations

import msgspec


class Verdict(msgspec.Struct, kw_only=True):
    """Counts of what is wrong; ``notes`` say what, without end."""

    events: int = 0  # records in the log
    customers: int = 0  # identities
    persons: int = 0  # of several identities
    witnesses: int = 0  # copies of the store, made before it was wiped or set back; what they lost or held twice counts too
    lost: int = 0
    double: int = 0
    facts_differ: int = 0  # customers with as many events as the oracle has, and other facts
    dead_letters: int = 0
    dead_letters_wrong: int = 0  # missing and extra
    links_wrong: int = 0  # ends of links that do not hold the last word about the two
    indexes_wrong: int = 0
    views_wrong: int = 0  # customers of whom readers see something else than their state shows
    torn: int = 0  # identities of persons of whom a witness was made between two commits: what is seen of them was not judged
    effects_left: int = 0
    actions: int = 0  # distinct ids of actions and lessons in Kafka
    actions_missing: int = 0  # a committed state held them, or the history that survived raises them
    wrong_actions: int = 0  # ids that nothing that a worker traced raises
    actions_extra: int = 0  # ids of episodes that only a history knows which a lost tail took back
    complaints_again: int = 0  # told once more by another action: only what Redis lost, or a merge under way, can cause that
    wrongly_hushed: int = 0  # what a worker took to have had its effects before, against what Kafka had of the group's commits
    gone_with_a_tail: int = 0  # ids that were not published when Redis lost the states that held them
    steps: int = 0  # writes of states that were traced; 0: nothing was, and none of the following could be looked at
    taken_back: int = 0  # of these, what is no part of the history that survived
    untraced: int = 0  # customers whose traced writes do not lead to what is in the store
    stages_wrong: int = 0  # customers whose stage or history of stages is not what the refold comes to
    scores_wrong: int = 0
    lessons: int = 0
    lessons_wrong: int = 0  # how many more or fewer the last snapshot has learned than stand before its offsets
    lessons_again: int = 0  # came once more, with more than LESSONS_HORIZON others between
    notes: list[str] = []

    @property
    def fine(self) -> bool:
        facts = self.lost, self.double, self.facts_differ, self.dead_letters_wrong, self.indexes_wrong, self.views_wrong
        effects = self.effects_left, self.actions_missing, self.wrong_actions, self.wrongly_hushed, self.lessons_wrong
        return not any((*facts, *effects, self.links_wrong, self.untraced, self.stages_wrong, self.scores_wrong))
