"""The journal of a run: everything worth keeping, in the order it happened, and told to whoever listens."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from goodfit.diagnosis.finding import Finding
from goodfit.evidence.arms import TrainedArm
from goodfit.evidence.trial import Trial
from goodfit.evidence.verdict import Verdict
from goodfit.procedure.events import Doing, Listener, Noted
from goodfit.procedure.run import Answer, Arm


@dataclasses.dataclass(kw_only=True)
class Journal:
    """What has happened so far.

    Attributes:
        listener: Told of each entry as it is made.
        answers: Askings of the two questions.
        findings: What was found, each code once.
        verdicts: Every treatment tried.
        arms: Histories of every arm.
        untried: Remedies left untried, with the reason.
        not_checked: What was not examined, with the reason.
    """

    listener: Listener
    answers: list[Answer] = dataclasses.field(default_factory=list)
    findings: list[Finding] = dataclasses.field(default_factory=list)
    verdicts: list[Verdict] = dataclasses.field(default_factory=list)
    arms: list[Arm] = dataclasses.field(default_factory=list)
    untried: dict[str, str] = dataclasses.field(default_factory=dict)
    not_checked: dict[str, str] = dataclasses.field(default_factory=dict)

    def doing(self, what: str, *, fraction: float, seconds_left: float | None) -> None:
        """Say what is being worked on."""
        self.listener(Doing(what=what, fraction=fraction, seconds_left=seconds_left))

    def note(self, text: str) -> None:
        """Say a sentence that should stay on the screen."""
        self.listener(Noted(text=text))

    @property
    def last_answers(self) -> dict[str, bool]:
        """Whether each question that was asked was last answered yes."""
        return {answer.question: answer.good for answer in self.answers}

    @property
    def causes(self) -> list[Finding]:
        """Errors that were found before training, and for which no remedy has been kept yet."""
        kept = [verdict for verdict in self.verdicts if verdict.kept]
        cured = {code for verdict in kept for code in (verdict.remedy, *dict(verdict.steps))}
        found = [f for f in self.findings if f.question == "harness" and f.severity == "error"]
        return [finding for finding in found if finding.remedies and cured.isdisjoint(finding.remedies)]

    def answer(self, answer: Answer) -> Answer:
        """Keep an answer."""
        self.answers.append(answer)
        self.listener(answer)
        return answer

    def find(self, findings: Sequence[Finding]) -> Sequence[Finding]:
        """Keep findings; one that is known already is not told again."""
        known = {finding.code for finding in self.findings}
        for finding in findings:
            if finding.code not in known:
                self.findings.append(finding)
                self.listener(finding)
        return findings

    def keep_arm(self, arm: TrainedArm, *, round: int, question: str) -> None:
        """Keep the histories of an arm."""
        self.arms.append(Arm(name=arm.name, round=round, question=question, histories=arm.histories))  # type: ignore[arg-type]

    def judge(self, trial: Trial, *, kept: str | None) -> None:
        """Keep a round of trials; ``kept`` is the name of the treatment that enters the prescription."""
        for treatment, arm, verdict in zip(trial.treatments, trial.arms, trial.verdicts, strict=True):
            entry = dataclasses.replace(verdict, kept=treatment.name == kept)
            self.verdicts.append(entry)
            self.listener(entry)
            if treatment.remedy.trains:
                self.keep_arm(arm, round=verdict.round, question=verdict.question)
            self.untried.pop(treatment.name, None)
