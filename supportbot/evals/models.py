"""The tables of evaluations.

Invariants: a run keeps the cases that it started with (`cases`), so editing a suite does not change results. Each try
of a case (run, key, number) is stored only once, whichever worker ran it. Only one worker at a time holds a run, under
a lease.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from supportbot.accounts.constraints import SameWorkspace
from supportbot.accounts.models import TenantModel, User

OPEN_STATES = ("waiting", "running", "paused")


class Suite(TenantModel):
    """Cases that are run together."""

    name = models.CharField(max_length=60)
    title = models.CharField(max_length=200)
    about = models.TextField(blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="suite_in_workspace"),
            models.UniqueConstraint(fields=["workspace", "name"], name="suite_name_once"),
        ]

    def __str__(self) -> str:
        return self.title


class Case(TenantModel):
    """One case of a suite, as its document (`suite_formats.own_format.case_document`)."""

    suite = models.ForeignKey(Suite, on_delete=models.CASCADE, related_name="cases", db_constraint=False)
    key = models.CharField(max_length=80)
    position = models.PositiveIntegerField()
    document = models.JSONField()
    is_must = models.BooleanField(default=False)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["suite", "key"], name="case_key_once"),
            SameWorkspace("suite", name="case_workspace"),
        ]

    def __str__(self) -> str:
        return self.key


class Run(TenantModel):
    """An evaluation of a release with a suite. The release is stored as a plain id with a digest of its content."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Interrupted")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")

    suite = models.ForeignKey(
        Suite, on_delete=models.SET_NULL, null=True, blank=True, related_name="runs", db_constraint=False
    )
    suite_name = models.CharField(max_length=60)
    cases = models.JSONField()
    repeat = models.PositiveSmallIntegerField(default=1)
    release_id = models.UUIDField(null=True)
    release_number = models.PositiveIntegerField(null=True)
    release_digest = models.CharField(max_length=64, blank=True)
    # Fingerprints of the articles, actions, rules and gate cases that the release referred to when the run began.
    references_digest = models.CharField(max_length=64, blank=True, default="", db_default="")
    product = models.CharField(max_length=16, blank=True, default="", db_default="")  # the build (`product_mark`)
    # An earlier run of the same release and cases, whose results are reused unless changed articles may affect them.
    keeps_from = models.UUIDField(null=True)
    kept = models.PositiveIntegerField(default=0, db_default=0)  # tries whose results were reused
    baseline = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_constraint=False
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    problem = models.CharField(max_length=40, blank=True)  # the code of the error that interrupted it
    total = models.PositiveIntegerField()  # the number of tries
    done = models.PositiveIntegerField(default=0)
    played_ms = models.PositiveBigIntegerField(default=0, db_default=0)  # excludes the time when no worker ran it
    runner = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True)
    report = models.JSONField(null=True)  # `run_reports.Report`, once the run is done
    started_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="evaluation_run_in_workspace"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "running", "paused", "done", "cancelled"]),
                name="evaluation_run_state",
            ),
            SameWorkspace("suite", name="evaluation_run_suite"),
            SameWorkspace("baseline", name="evaluation_run_baseline"),
        ]
        indexes = [
            models.Index(fields=["workspace", "-created_at"], name="evaluation_run_newest"),
            models.Index(
                fields=["lease_until"], condition=Q(state__in=["waiting", "running"]), name="evaluation_run_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.suite_name} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


class Result(TenantModel):
    """One try of a case: its outcome (`case_outcomes.CaseTry`) and its grades (`graders.Grade`)."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="results", db_constraint=False)
    key = models.CharField(max_length=80)
    number = models.PositiveSmallIntegerField()  # the number of the try, from 1
    passed = models.BooleanField()
    is_must = models.BooleanField(default=False)
    is_deterministic = models.BooleanField(default=False)
    grades = models.JSONField()
    played = models.JSONField()
    judged_good = models.BooleanField(null=True)  # the judge's verdict; null if it was not usable
    judged_by = models.CharField(max_length=200, blank=True, default="", db_default="")  # the judging model
    # not a foreign key: the earlier run's judged result of which this is a copy; only the original is labelled
    original = models.UUIDField(null=True)
    customer_id = models.UUIDField(null=True)  # not a foreign key: the customer whose data the answers may contain
    took_ms = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "key", "number"], name="evaluation_result_once"),
            models.UniqueConstraint(fields=["id", "workspace"], name="evaluation_result_in_workspace"),
            SameWorkspace("run", name="evaluation_result_workspace"),
        ]
        indexes = [models.Index(fields=["customer_id"], name="evaluation_result_customer")]

    def __str__(self) -> str:
        return f"{self.key} ({self.number})"


class Label(TenantModel):
    """A person's verdict on a judged result, given before they see any of the judge's verdicts on the run."""

    class Verdict(models.TextChoices):
        PASS = "pass", _("Pass")
        FAIL = "fail", _("Fail")
        UNSURE = "unsure", _("Unsure")

    result = models.ForeignKey(Result, on_delete=models.CASCADE, related_name="labels", db_constraint=False)
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    verdict = models.CharField(max_length=6, choices=Verdict.choices)
    note = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["result", "person"], name="evaluation_label_once"),
            models.CheckConstraint(
                condition=Q(verdict__in=["pass", "fail", "unsure"]), name="evaluation_label_verdict"
            ),
            SameWorkspace("result", name="evaluation_label_workspace"),
        ]

    def __str__(self) -> str:
        return self.verdict


class SeenVerdicts(TenantModel):
    """A person has seen the judge's verdicts on a run, or could see them before a label was withdrawn. They can no
    longer label its results.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "person"], name="seen_verdicts_once"),
            SameWorkspace("run", name="seen_verdicts_workspace"),
        ]

    def __str__(self) -> str:
        return str(self.run_id)


class ArticleCheck(TenantModel):
    """A run of the gates' cases after articles were published without the gates, by an import, a source, REST or a
    schedule.

    A workspace has at most one waiting check, which collects changes until there have been none for a while. `failures`
    are cases that must pass and that fail with the new articles but not with those of the last check. `mended` are
    cases that an earlier check reported and that now pass again. `former` and `seen` contain states of articles, in the
    format of `earlier_articles.facts_of`.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")

    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    articles = ArrayField(models.UUIDField())  # while the check waits, it also covers the articles in `ChangedArticle`
    since = models.DateTimeField(null=True)  # the time of the first change
    # Whether the workspace had gates when any of the changes was made; if not, only customers' questions are compared.
    asks_gates = models.BooleanField(default=True, db_default=True)
    comparison = models.UUIDField(null=True)  # the `DraftCheck` of customers' questions; null if nothing is compared
    attempt = models.PositiveSmallIntegerField(default=0, db_default=0)  # only the latest attempt may write
    played = models.PositiveIntegerField(default=0)  # the number of cases run
    untried = models.PositiveIntegerField(default=0, db_default=0)  # the number of cases not run in time
    former = models.JSONField(default=dict, db_default={})  # by id: the articles before the first change
    seen = models.JSONField(default=dict, db_default={})  # by id: the articles tried; empty if any case was not run
    failures = models.JSONField(default=list)
    mended = models.JSONField(default=list, db_default=[])
    problem = models.CharField(max_length=300, blank=True)  # why it could not be run
    lease_until = models.DateTimeField(null=True, default=now)  # a worker may take it from this time on
    taken_at = models.DateTimeField(null=True)  # when a worker first took it and it stopped collecting changes
    created_at = models.DateTimeField(default=now, editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(state="waiting"), name="article_check_one_waiting"
            ),
            models.CheckConstraint(condition=Q(state__in=["waiting", "running", "done"]), name="article_check_state"),
        ]
        indexes = [
            models.Index(fields=["workspace", "-created_at"], name="article_check_newest"),
            models.Index(fields=["lease_until"], condition=~Q(state="done"), name="article_check_due"),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.created_at:%Y-%m-%d %H:%M}"


class ChangedArticle(TenantModel):
    """An article in the workspace's waiting check. Each has its own row, because an import can change thousands."""

    article_id = models.UUIDField()
    former = models.JSONField(null=True)  # the article before its first change

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "article_id"], name="changed_article_once")]

    def __str__(self) -> str:
        return str(self.article_id)


class DraftCheck(TenantModel):
    """A check of a saved revision of an article before it is published, with the gates' cases and with real questions.

    It can also be a comparison, which uses only real questions: between a published revision and the one that was live
    before (`former`), or of the articles of an `ArticleCheck` before and after (`articles`).

    Its `items` are fixed when it begins, and each step adds to `rows`, so an interrupted or cancelled check continues
    where it stopped.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")

    article_id = models.UUIDField(null=True)  # null, like `revision`, if the check covers several articles
    revision = models.PositiveIntegerField(null=True)
    gates = ArrayField(models.CharField(max_length=120), default=list)  # the gates at the time of the check
    facts = models.JSONField(default=dict, db_default={})  # everything else that the result depends on
    former = models.JSONField(null=True)  # `earlier_articles.Facts`
    # For articles that changed together, by id: the facts "before" and "after" (`earlier_articles.Facts`).
    articles = models.JSONField(null=True)
    left_out = models.PositiveIntegerField(default=0, db_default=0)  # changed articles beyond the maximum
    # Contradictions and repetitions in the new texts of `articles` (`ChangedArticles.found`); null until known.
    found = models.JSONField(null=True)
    seen_at = models.DateTimeField(null=True)  # when someone closed its notice in the console
    items = models.JSONField(null=True)  # cases and questions; None until it begins
    rows = models.JSONField(default=list)
    attempt = models.PositiveIntegerField(default=0, db_default=0)  # only the latest attempt may write
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)  # attempts since the last stored step
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    problem = models.CharField(max_length=300, blank=True)
    lease_until = models.DateTimeField(null=True, default=now)
    created_at = models.DateTimeField(default=now, editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "article_id", "revision"],
                condition=Q(state__in=["waiting", "running"]),
                name="draft_check_one_open",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "running", "done", "cancelled"]), name="draft_check_state"
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "article_id", "-created_at"], name="draft_check_newest"),
            models.Index(fields=["lease_until"], condition=Q(state__in=["waiting", "running"]), name="draft_check_due"),
        ]

    def __str__(self) -> str:
        return f"{self.revision} {self.state}"

    @property
    def is_open(self) -> bool:
        return self.state in ("waiting", "running")


class Replay(TenantModel):
    """A release tried on customers' recent questions and compared with the release that was live at the start.

    The questions are chosen when a worker begins (`chosen_at`), and both answers to a question are stored in one step,
    so an interrupted or cancelled replay continues where it stopped. Releases are stored as plain ids with their
    numbers.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Interrupted")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")

    release_id = models.UUIDField()
    release_number = models.PositiveIntegerField()
    release_digest = models.CharField(max_length=64)
    live_id = models.UUIDField()
    live_number = models.PositiveIntegerField()
    days = models.PositiveSmallIntegerField()
    most = models.PositiveSmallIntegerField()  # the maximum number of questions
    product = models.CharField(max_length=16, blank=True, default="", db_default="")  # the build (`product_mark`)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    problem = models.CharField(max_length=40, blank=True)  # the code of the error that interrupted it
    chosen_at = models.DateTimeField(null=True)
    attempt = models.PositiveIntegerField(default=0)  # only the latest attempt may write
    lease_until = models.DateTimeField(null=True, default=now)
    started_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="replay_in_workspace"),
            models.UniqueConstraint(
                fields=["workspace", "release_id"], condition=Q(state__in=OPEN_STATES), name="replay_one_open"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "running", "paused", "done", "cancelled"]), name="replay_state"
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "release_id", "-created_at"], name="replay_newest"),
            models.Index(fields=["lease_until"], condition=Q(state__in=["waiting", "running"]), name="replay_due"),
        ]

    def __str__(self) -> str:
        return f"{self.release_number} {self.state}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


class ReplayedQuestion(TenantModel):
    """A question of a replay. Both answers (`case_outcomes.CaseTry`) and the `kinds` of their differences are null
    until it has run.
    """

    replay = models.ForeignKey(Replay, on_delete=models.CASCADE, related_name="questions", db_constraint=False)
    position = models.PositiveIntegerField()
    question = models.TextField()
    locale = models.CharField(max_length=16, blank=True)
    external_id = models.CharField(max_length=200, blank=True)  # the merchant's id of the customer
    customer_id = models.UUIDField()  # not foreign keys: the customer and conversation that the question comes from
    conversation_id = models.UUIDField()
    times = models.PositiveIntegerField(default=1, db_default=1)  # how often it was asked
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    kinds = ArrayField(models.CharField(max_length=20), null=True)
    is_unplayed = models.BooleanField(default=False)  # one of the releases could not answer

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["replay", "position"], name="replayed_question_once"),
            SameWorkspace("replay", name="replayed_question_workspace"),
        ]
        indexes = [
            models.Index(fields=["customer_id"], name="replayed_question_customer"),
            models.Index(fields=["conversation_id"], name="replayed_question_chat"),
        ]

    def __str__(self) -> str:
        return self.question[:60]
