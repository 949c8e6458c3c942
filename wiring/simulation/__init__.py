"""Bot and exchange in one process, in virtual time, with random faults: one seed is one run, byte for byte.

loop            the clock that jumps
network         connections in memory, with latency, cuts and half-open ends
exchange        the embedded exchange without its sockets
memory_journal  the journal without its disk
bot             one life of the bot, from its first connection to its end or its death
faults          what happens when
truth           the account as the exchange's own log tells it
invariants      the recovery invariants as predicates
world           one seed, and the person at the controls
"""
