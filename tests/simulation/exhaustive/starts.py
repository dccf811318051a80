"""Every way that one start can go, and which ways there are for the start of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.simulation.exhaustive import broken
from tests.simulation.exhaustive.accidents import ACCIDENTS, Accident
from tests.simulation.exhaustive.broken import Judge
from tests.simulation.exhaustive.history import RETRIES, World
from tests.simulation.exhaustive.tries import Try
from tests.simulation.exhaustive.ways import Ways, all_ways

DEATH, STOP = "the worker dies", "the worker is told to stop"
KILL = "a person marks the task failed"

SMALL = {
    "the task waits": ("in a worker",),
    "cancel_on_kill is": ("True",),
    "omics:CancelRun is": ("allowed",),
}
"""The worlds in which a second try has accidents; all else is as full as for the first."""

NEXT = {
    "succeeded": ("over", "cleared"),
    "failed": ("retried", "cleared", "over"),
    "failed for good": ("cleared", "over"),
    DEATH: ("retried", "cleared", "marked failed"),
    STOP: ("retried", "cleared", "marked failed"),
    KILL: ("over", "cleared"),
    "a person clears the running task": ("restarted",),
}
"""What happens to the task after a try that has ended so."""


Path = tuple[dict[str, str], ...]
"""One history: what was answered in each try and between two, in turn."""


@dataclass
class Branch:
    """Histories that have come to the same world.

    :param number: how many they are.
    :param path: one of them.
    """

    world: World
    number: int = 1
    path: Path = ()
    ended: str = ""


@dataclass
class Table:
    """All histories of one start.

    :param judge: says which promises were broken.
    :param fixed: the questions that have one answer in a small world.
    :param every: of so many histories that are over, one is in the sample.
    :param plays: how many tries were played.
    :param outcomes: what came of them, with how many histories came to it, and one of these.
    :param worlds: for each reason of a broken promise, the answers to each lasting question with which it is
        one.
    :param sample: some histories and what came of them.
    :param alike: histories that were played on from a moment, each with another that had come to the same
        world and was not.
    """

    judge: Judge
    fixed: Collection[str]
    every: int
    plays: int = 0
    outcomes: dict[str, Branch] = field(default_factory=dict)
    worlds: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    sample: list[tuple[Path, str]] = field(default_factory=list)
    alike: dict[str, Path] = field(default_factory=dict)
    _closed: int = 0

    @property
    def histories(self) -> int:
        return sum(branch.number for branch in self.outcomes.values())

    def close(self, branches: Iterable[Branch]) -> None:
        """Count histories that are over."""
        for branch in branches:
            self.judge.over(branch.world)
            branch.number *= branch.world.unasked
            outcome, questions = self.judge.outcome(branch.world), branch.world.questions
            for reason in branch.world.breaches:
                worlds = self.worlds.setdefault(reason, {question: set() for question in questions})
                for question, answers in questions.items():
                    had = branch.world.lasting.get(question)
                    is_fixed = branch.world.is_small and question in self.fixed
                    worlds[question] |= set(answers) if had is None or is_fixed else {had}
            self._closed += 1
            if self._closed % self.every == 0:
                self.sample.append((branch.path, outcome))
            if outcome in self.outcomes:
                self.outcomes[outcome].number += branch.number
            else:
                self.outcomes[outcome] = branch
                self.sample.append((branch.path, outcome))

    def merged(self, branches: Iterable[Branch]) -> list[Branch]:
        """Return the branches with those as one that go on alike."""
        known: dict[str, Branch] = {}
        for branch in branches:
            first = known.setdefault(f"{branch.ended} {branch.world.key()}", branch)
            if first is not branch:
                first.number += branch.number
                self.alike[repr(first.path)] = branch.path
        return list(known.values())


class Histories:
    """The histories of one start of a run: what may happen to it, try by try.

    :ivar world: makes the world before the first try.
    :ivar plays: plays a try.
    :ivar judge: says which promises were broken.
    :ivar small: the worlds in which a second try has accidents, by the answers to lasting questions.
    :ivar then: what happens to the task after a try that has ended so.
    :ivar start: the call that must not be sent twice.
    :ivar accidents: those that the first try has.
    :ivar every: of so many histories that are over, one is in the sample.
    """

    world: type[World] = World
    plays: type[Try] = Try
    judge: Judge = Judge()
    small: Mapping[str, tuple[str, ...]] = SMALL
    then: Mapping[str, tuple[str, ...]] = NEXT
    start = "StartRun"
    accidents: tuple[str, ...] = tuple(ACCIDENTS)
    every = 97

    def __init__(self) -> None:
        self.table = Table(self.judge, self.small, self.every)

    def all(self) -> Table:
        """Play every history: two or three tries, and in all ways, but for the last, which nothing disturbs.

        The first try goes in every way, with every accident at every moment, in every kind of world, and so
        does what happens between it and the second. A second try that has an accident of its own, after one
        that had none or in which the worker died, is played in small worlds.
        """
        with self.plays.installed():
            quiet, disturbed = [], []
            for branch in self._go_on(self._tries_of(Branch(self.world()), self.accidents)):
                (disturbed if branch.world.accidents else quiet).append(branch)
            again = [world for branch in (*quiet, *disturbed) if (world := self._small(branch))]
            second = self.table.merged(
                after for branch in again for after in self._tries_of(branch, self.kinds(branch))
            )
            third = self._go_on(branch for branch in second if branch.world.accidents)
            third += self._go_on(after for branch in quiet for after in self._tries_of(branch))
            last = self.table.merged([*disturbed, *third])
            over = self.table.merged(over for branch in last for over in self._tries_of(branch, is_last=True))
            self.table.close(over)
        return self.table

    def kinds(self, branch: Branch) -> tuple[str, ...]:
        """Return the accidents that a second try has."""
        return (DEATH, KILL) if branch.world.accidents else tuple(ACCIDENTS)

    def _go_on(self, ended: Iterable[Branch]) -> list[Branch]:
        """Return what comes after tries that have ended, and count what is over."""
        merged = self.table.merged
        after = merged(after for branch in merged(ended) for after in self._between(branch))
        self.table.close(branch for branch in after if branch.ended == "over")
        return [branch for branch in after if branch.ended != "over"]

    def _small(self, branch: Branch) -> Branch | None:
        """Return the branch in a small world, if it fits: a second try there has accidents as well."""
        world = branch.world.copy()
        if not self._make_small(world):
            return None
        *before, tried, between = branch.path
        if world.accidents and not (tried["ended"] == DEATH and between["the task is"] != "marked failed"):
            return None
        became = [answer for question, answer in between.items() if "meanwhile" in question]
        calm = ("goes on", "stays", *(() if world.accidents else ("is deleted",)))
        if any(answer not in calm for answer in became):
            return None
        return Branch(world, branch.number, (*before, tried, {**between, "small": "yes"}), branch.ended)

    def _make_small(self, world: World) -> bool:
        world.is_small = True
        return all(
            world.lasting.setdefault(question, answers[0]) in answers
            for question, answers in self.small.items()
        )

    # -- a try -----------------------------------------------------------------------------------------------

    def _tries_of(
        self, branch: Branch, kinds: tuple[str, ...] = (), *, is_last: bool = False
    ) -> Iterator[Branch]:
        """Yield what comes of the next try: undisturbed, and with accidents of each kind at each moment.

        Two moments in which an accident would find the same are played once, and count as two.
        """

        def play(ways: Ways, accident: Accident | None = None) -> Try:
            self.table.plays += 1
            return self.plays(branch.world.copy(), ways, accident, is_last=is_last)()

        first: dict[str, tuple[int, dict[str, str], str]] = {}
        times: dict[str, int] = {}
        for ways, done in all_ways(play):
            yield _after(branch, done, ways.taken, 1)
            for number, (found, words, taken) in enumerate(done.positions):
                # For whoever dies it does not matter in which call, but a call that fails is that of the
                # start.
                for key in (found, f"{found} {words}") if words.endswith(self.start) else (found,):
                    times[key] = times.get(key, 0) + 1
                    first.setdefault(key, (number, taken, words))
        for kind in kinds:
            for found, (number, taken, words) in first.items():
                if words.startswith("while") and kind in (DEATH, STOP):
                    continue  # no worker has the task, and a triggerer that dies is replaced
                if ACCIDENTS[kind].dies == found.endswith(self.start):
                    continue  # each other call is simply repeated
                accident = Accident(number, kind)
                for ways, done in all_ways(lambda ways, a=accident: play(ways, a), taken):
                    done.world.accidents += 1
                    path = {"accident": f"{number}: {kind}, {words}", **ways.taken}
                    yield _after(branch, done, path, times[found])

    # -- between two tries -----------------------------------------------------------------------------------

    def _between(self, branch: Branch) -> Iterator[Branch]:
        def go(ways: Ways) -> tuple[World, str]:
            world = branch.world.copy()
            return world, self._afterwards(world, branch.ended, ways)

        for ways, (world, ended) in all_ways(go):
            yield Branch(world, branch.number, (*branch.path, ways.taken), ended)

    def _afterwards(self, world: World, ended: str, ways: Ways) -> str:
        then = ways("the task is", self.then[ended])
        self.goes_on(world, ways)
        self._do(world, then)
        return "over" if then in ("over", "marked failed") else then

    def goes_on(self, world: World, ways: Ways) -> None:
        """Let happen what may while no worker has the task."""
        runs = [run for run in world.service.runs if not run.is_gone]
        for run in runs[-1:] if world.is_small else runs[-2:]:
            question = f"run {run.number} meanwhile"
            if run.status == "RUNNING":
                became = ways(question, ("goes on", "COMPLETED", "FAILED", "is deleted"))
            elif run.status == "STOPPING":
                became = ways(question, ("CANCELLED", "COMPLETED", "goes on"))
            else:
                became = "stays" if world.is_small else ways(question, ("stays", "is deleted"))
            if became == "is deleted":
                run.is_gone = True
            elif became not in ("goes on", "stays"):
                run.status = became

    def _do(self, world: World, then: str) -> None:
        if then == "cleared":
            world.max_tries, world.is_given_up = world.try_number + RETRIES, False
            self.judge.cleared(world)
        elif then == "marked failed":
            world.is_given_up = True
            world.mark(broken.NO_PROCESS)

    # -- one history -----------------------------------------------------------------------------------------

    def replay(self, path: Path, play: type[Try] | None = None) -> str:
        """Play one history from its beginning, and return what came of it.

        :param play: plays a try, in this service or another.
        """
        world, ended = self.world(), ""
        for number, answers in enumerate(path):
            if number % 2:
                answers = dict(answers)
                is_small = answers.pop("small", "")
                ended = self._afterwards(world, ended, Ways(answers))
                if is_small:
                    self._make_small(world)
                continue
            where, _, kind = answers.get("accident", "").partition(": ")
            accident = Accident(int(where), kind.partition(", ")[0]) if where else None
            is_last = number == len(path) - 1
            ended = (play or self.plays)(world, Ways(answers), accident, is_last=is_last)().ended
            world.accidents += accident is not None
        self.judge.over(world)
        return self.judge.outcome(world)


def _after(branch: Branch, done: Try, path: dict[str, str], times: int) -> Branch:
    return Branch(
        done.world, branch.number * times, (*branch.path, {**path, "ended": done.ended}), done.ended
    )


def all_starts() -> Table:
    """Play every history of one start of a run."""
    return Histories().all()
