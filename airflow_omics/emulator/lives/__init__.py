"""What happens to a run: the scripts, their library, and a run's passage through one of them.

Floor: the ground. Imports nothing else of the emulator and knows no clock: the caller gives the moment.

Doors: ``script`` (Life, Stage, Task), ``library`` (LIVES), ``run`` (Run) and ``tasks`` (a run's tasks).
"""
