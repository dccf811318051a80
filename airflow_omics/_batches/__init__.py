"""What a batch of runs is made of, and how it ended.

Doors: ``judge.judged`` says how a batch ended and why; ``members.BatchMembers`` lists its members;
``failures.explained`` finds out the reason of each that failed.
"""
