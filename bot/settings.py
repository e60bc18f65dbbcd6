"""Settings: the one module that reads the environment and `lorekeeper.toml`, once, into frozen values.

Unknown keys and bad values stop the start with key, value and expectation.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo
from pydantic.dataclasses import dataclass

from bot.errors import MisuseError, SettingsError
from bot.private_file import write_private
from bot.timetable import Timetable
from knowledge.secret import Secret

SETTINGS_FILE = "lorekeeper.toml"
SLACK_FILE = "slack.env"
SLACK_FILE_NAMES = (
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "SLACK_SIGNING_SECRET",
    "SLACK_CLIENT_ID",
    "SLACK_CLIENT_SECRET",
    "SLACK_API_URL",
)
SLACK_API_URL = "https://slack.com/api/"
CLAUSE_DATE = "2024-12-10"
"""Of the Slack Developer Policy that says: no language model is trained on its data."""
TERMS_DATE = "2025-10-10"
"""Of the Slack API terms that say: no copies and indexes of its data in apps that are offered to others."""
_STRICT = ConfigDict(extra="forbid")


def _cron_line(value: str) -> str:
    try:
        return Timetable(cron=value).cron
    except MisuseError as error:
        raise ValueError("a cron line of five fields, like '0 9 * * MON'") from error


def _time_zone(value: str) -> str:
    try:
        return Timetable(cron="0 9 * * MON", zone=value).zone
    except MisuseError as error:
        raise ValueError("the name of a time zone, like Europe/Berlin or UTC") from error


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class KnowledgeSettings:
    """How documents are cut, embedded and found."""

    embedder: str = "embedded"
    """`embedded` (the installed all-MiniLM-L6-v2), or any sentence-transformers name or folder."""
    embedder_precision: Literal["auto", "full"] = "auto"
    """`auto`: the embedded model works with 8-bit numbers on a processor; `full`: with 32-bit floats, always."""
    chunk_tokens: Annotated[int, Field(ge=32, le=2000)] = 230
    """Word pieces of one chunk with its header; the embedded model cuts at 256."""
    word_weight: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Share of the word search in the fused score; the rest is the vectors'."""
    follow_ups: Literal["auto", "weights"] = "auto"
    """`auto`: with the embedded model, its adapter reads a question with what was said before; `weights`: the last
    turn's vector leans towards the earlier ones, as with every other embedder."""
    matched_passages: Annotated[int, Field(ge=0, le=100)] = 20
    """So many of the best passages are compared with the question word piece by word piece; 0 for none."""
    recency_weight: Annotated[float, Field(ge=0, le=1)] = 0.03
    """Added to the score of the newest document found, half of it to one older by `recency_half_life_days`."""
    recency_half_life_days: Annotated[float, Field(gt=0, le=36_500)] = 180.0
    trust_weight: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Added to the score of an official source's passages and taken off an informal one's."""
    history_question_weight: Annotated[float, Field(ge=0, le=1)] = 0.2
    history_answer_weight: Annotated[float, Field(ge=0, le=1)] = 0.3
    exact_search_below: Annotated[int, Field(ge=0)] = 2_000
    """Collections with fewer chunks are searched exactly; an HNSW generation is published from here on."""
    vectors_in_memory: Literal["float32", "float16"] = "float32"
    """`float16` halves the memory of vectors outside the graph, for collections of hundreds of thousands of chunks."""
    permissions_hours: Annotated[float, Field(gt=0, le=24 * 31)] = 24.0
    """A document with readers of its own is shown to nobody when its source last told who they are longer ago."""
    quarantine_share: Annotated[float, Field(ge=0, le=100)] = 0.5
    """A run that brings more new text than this share of a source's documents, and than 50, is held; 0: none is."""
    slack_channels: list[Annotated[str, Field(pattern="^[CG][A-Z0-9]+$")]] = Field(default_factory=list)
    """Ids of the channels whose messages may become knowledge of their own members."""
    slack_terms_acknowledged: Annotated[str, Field(validate_default=True), AfterValidator(_acknowledges_terms)] = ""
    """The date of Slack's terms that speak against it where an app is offered to others, written after reading them."""
    slack_history_requests_per_minute: Annotated[int, Field(ge=1, le=100)] = 40
    """How often a channel's history is asked for; apps that Slack gives one request a minute work with 1."""
    gaps_to: Annotated[str, Field(pattern="^([CG][A-Z0-9]+)?$")] = ""
    """Id of the channel that is told each week what was asked in vain, and who could write it down; empty: none."""
    gaps_at: Annotated[str, AfterValidator(_cron_line)] = "0 9 * * MON"
    """When it is told, as cron reads it: minute, hour, day of the month, month, weekday."""
    gaps_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    """The time zone of that."""
    parse_seconds: Annotated[int, Field(ge=1, le=600)] = 20
    parse_memory_mb: Annotated[int, Field(ge=128, le=8192)] = 768


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class ModelSettings:
    """Which language model answers, and how."""

    name: str = "embedded"
    """`embedded` (SmolLM2-135M-Instruct) or a name from `lorekeeper models list`."""
    server_url: str = ""
    """Base URL of an OpenAI-compatible server, to use instead of a local file."""
    context_tokens: Annotated[int, Field(ge=512, le=131_072)] = 4096
    gpu_layers: Literal["auto"] | Annotated[int, Field(ge=-1)] = "auto"
    """`auto`: all layers where there is a GPU build and a GPU; -1 is all, 0 none."""
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=512)] = "auto"
    chat_format: str = "chatml"
    max_answer_tokens: Annotated[int, Field(ge=16, le=8192)] = 220
    timeout_seconds: Annotated[float, Field(gt=0)] = 120.0


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class AnswerSettings:
    """How an answer is made from passages."""

    passages: Annotated[int, Field(ge=1, le=20)] = 4
    evidence_sentences: Annotated[int, Field(ge=0, le=50)] = 3
    """Sentences of those passages that are handed to the model; 0 hands it the whole passages."""
    minimum_support: Annotated[float, Field(ge=0, le=1)] = 0.4
    """Below this estimate the bot says that its sources do not answer, and names the nearest."""
    threshold_from_votes: bool = True
    """Whether people's votes move `minimum_support` a little: at most by .15, and never one person's alone."""
    rewrite_seconds: Annotated[float, Field(ge=0, le=60)] = 0.0
    """So long the language model may take to write a follow-up out, which is then searched as well; 0: it does not."""
    few_shot: Annotated[int, Field(ge=0, le=8)] = 0
    """So many of the well-rated answers chosen by `lorekeeper dataset examples` are shown to the model as examples."""
    wording: Literal["own", "quote"] = "own"
    """`own`: the model writes, and what no passage holds is dropped; `quote`: it can only choose sentences of them."""
    unsupported: Literal["drop", "keep"] = "drop"
    """What happens to written sentences that no passage supports."""
    instructions: str = ""
    """Added to the system prompt: tone, language, house rules."""
    cache: bool = True
    """Whether an answer is given again where the same question meets the same evidence before the same readers."""
    cache_answers: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    """The most answers that are kept for that; the longest unused go first."""
    cache_days: Annotated[int, Field(ge=1, le=365)] = 7
    """An older answer is not given again."""
    stale_days: Annotated[int, Field(ge=0, le=36_500)] = 365
    """An answer that stands on nothing newer than so many days says of when it is; 0: none does."""
    earlier: Annotated[int, Field(ge=0, le=10)] = 2
    """Exchanges of earlier conversations that an answer may stand on besides; 0: nothing is remembered."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class ScheduleSettings:
    """When knowledge is re-read."""

    sync_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 31)] = 30
    """Interval for sources that do not set their own."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class TuningSettings:
    """What a version of the language model may learn from, when one is made, and what becomes of it by itself."""

    message_text: bool = False
    """Whether people's own messages may train: of those who consented, and in `public_channels` only."""
    message_text_acknowledged: Annotated[str, Field(validate_default=True), AfterValidator(_acknowledges)] = ""
    """The date of the clause of Slack's that speaks against it, written here after reading it."""
    public_channels: list[Annotated[str, Field(pattern="^C[A-Z0-9]+$")]] = Field(default_factory=list)
    """Ids of public channels whose messages may train; everyone is answered by what learns from them."""
    person_share: Annotated[float, Field(gt=0, le=1)] = 0.1
    """The largest share of a dataset's rows of one kind that comes from one person; each may give one."""
    scheduled: bool = False
    """Whether the schedule tunes at all; by hand it is always possible."""
    hour: Annotated[int, Field(ge=0, le=23)] = 3
    """The hour of this machine's day in which it may begin."""
    new_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    """So many new votes must have come since the last time."""
    canary: bool = False
    """Whether a version that passed the gate begins as a canary by itself; otherwise it waits for a person."""
    canary_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of new conversations that such a canary answers."""
    promote: bool = False
    """Whether a canary whose votes are better is put in service by itself; a worse one is always taken back."""
    alerts_to: Annotated[str, Field(pattern="^([CG][A-Z0-9]+)?$")] = ""
    """Id of the channel that is told when answers change; empty: admins see it on their page only."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class SlackSettings:
    """How the bot behaves in Slack."""

    mode: Literal["socket", "http"] = "socket"
    """`socket`: the bot calls Slack, for one workspace; `http`: Slack calls the bot, for one or several."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 3000
    """Where HTTP mode listens; something that speaks https stands before it."""
    public_url: str = ""
    """The public address of HTTP mode, https://..., for Slack's way back after an installation."""
    workers: Annotated[int, Field(ge=1, le=32)] = 2
    update_seconds: Annotated[float, Field(ge=0.2, le=30)] = 1.3
    """Least time between two updates of one streamed message; Slack allows about 50 a minute in all."""
    max_question_characters: Annotated[int, Field(ge=100, le=1_000_000)] = 8_000
    channels: list[Annotated[str, Field(pattern="^[CG][A-Z0-9]+$")]] = Field(default_factory=list)
    """Ids of the channels that the bot answers in; empty for all that it is in. Nothing in Slack widens this."""
    admins: list[Annotated[str, Field(pattern="^[UW][A-Z0-9]+$")]] = Field(default_factory=list)
    """Ids of people who may change the bot's settings in Slack, besides the workspace's admins and owners."""
    escalate_to: Annotated[str, Field(pattern="^([UWCG][A-Z0-9]+)?$")] = ""
    """Id of the person or channel that is asked where an answer does not do; a channel's own settings come first."""
    questions_per_minute: Annotated[int, Field(ge=0, le=10_000)] = 10
    """The most that one person may ask in a minute; 0 for no limit."""
    questions_per_day: Annotated[int, Field(ge=0, le=1_000_000)] = 200
    """The most that one person may ask in a day; 0 for no limit."""


def _acknowledges(value: str, info: ValidationInfo) -> str:
    if info.data.get("message_text") and value != CLAUSE_DATE:
        raise ValueError(
            f'"{CLAUSE_DATE}", the date of the Developer Policy whose clause forbids to train a language model on '
            "Slack's data, to say that you read it; or tuning.message_text = false"
        )
    return value


def _acknowledges_terms(value: str, info: ValidationInfo) -> str:
    if info.data.get("slack_channels") and value != TERMS_DATE:
        raise ValueError(
            f'"{TERMS_DATE}", the date of the Slack API terms that forbid to keep copies and indexes of its data in an '
            "app that is offered outside one's own organisation, to say that you read them and that the people in "
            "these channels are told; or knowledge.slack_channels = []"
        )
    return value


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class PlaygroundSettings:
    """Where the local workspace listens."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 3939


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class FileSettings:
    """Everything that `lorekeeper.toml` may hold."""

    knowledge: KnowledgeSettings = Field(default_factory=KnowledgeSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    answer: AnswerSettings = Field(default_factory=AnswerSettings)
    schedule: ScheduleSettings = Field(default_factory=ScheduleSettings)
    tuning: TuningSettings = Field(default_factory=TuningSettings)
    slack: SlackSettings = Field(default_factory=SlackSettings)
    playground: PlaygroundSettings = Field(default_factory=PlaygroundSettings)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(arbitrary_types_allowed=True))
class Settings:
    """All settings of one start: the file's, and what the environment says."""

    home: Path
    database_url: str
    slack_bot_token: Secret
    slack_app_token: Secret
    slack_signing_secret: Secret
    slack_api_url: str
    file: FileSettings
    slack_client_id: str = ""
    slack_client_secret: Secret = Secret("")
    token_key: Secret = Secret("")
    """Keys of the tokens at rest, newest first, separated by commas; without one, a file holds the key."""

    @property
    def settings_file(self) -> Path:
        """Where the file is, or would be."""
        return self.home / SETTINGS_FILE


def load_settings(environment: Mapping[str, str], home: Path | None = None) -> Settings:
    """Read the settings; `home` overrides LOREKEEPER_HOME.

    Raises SettingsError with key, value and expectation.
    """
    folder = (home or Path(environment.get("LOREKEEPER_HOME") or default_home())).expanduser().absolute()
    kept = read_slack_file(folder / SLACK_FILE)

    def slack(name: str) -> str:
        return environment.get(name, "").strip() or kept.get(name, "")

    return Settings(
        home=folder,
        database_url=environment.get("LOREKEEPER_DATABASE_URL") or f"sqlite:///{folder / 'lorekeeper.db'}",
        slack_bot_token=Secret(slack("SLACK_BOT_TOKEN")),
        slack_app_token=Secret(slack("SLACK_APP_TOKEN")),
        slack_signing_secret=Secret(slack("SLACK_SIGNING_SECRET")),
        slack_api_url=_api_url(slack("SLACK_API_URL")),
        file=read_settings_file(folder / SETTINGS_FILE),
        slack_client_id=slack("SLACK_CLIENT_ID"),
        slack_client_secret=Secret(slack("SLACK_CLIENT_SECRET")),
        token_key=Secret(environment.get("LOREKEEPER_TOKEN_KEY", "").strip()),
    )


def of_workspace(settings: Settings, *, bot_token: str, app_token: str, api_url: str) -> Settings:
    """The settings with the one workspace that these tokens open, instead of the one that they name."""
    return dataclasses.replace(
        settings,
        slack_bot_token=Secret(bot_token),
        slack_app_token=Secret(app_token),
        slack_api_url=api_url,
        slack_signing_secret=Secret(""),
        slack_client_id="",
        slack_client_secret=Secret(""),
    )


def read_slack_file(path: Path) -> dict[str, str]:
    """Read the tokens that `lorekeeper setup` wrote, NAME=value on each line; a missing file has none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read ({error}). Mend its permissions, or remove it.") from error
    found: dict[str, str] = {}
    for line in lines:
        name, separator, value = line.strip().partition("=")
        if not separator or name.startswith("#"):
            continue
        if name.strip() not in SLACK_FILE_NAMES:
            raise SettingsError(f"{path} sets {name.strip()!r}, expected one of {', '.join(SLACK_FILE_NAMES)}")
        found[name.strip()] = value.strip()
    return found


def write_slack_file(path: Path, values: Mapping[str, str]) -> None:
    """Add these to the tokens in the file, which its owner alone may read; an empty one takes a token out."""
    merged = read_slack_file(path) | dict(values)
    text = "".join(f"{name}={merged[name]}\n" for name in SLACK_FILE_NAMES if merged.get(name))
    write_private(path, text)


def default_home() -> str:
    """The user's data folder for this program."""
    return platformdirs.user_data_dir("lorekeeper", appauthor=False)


def read_settings_file(path: Path) -> FileSettings:
    """Read one settings file; a missing file means the defaults."""
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        content = {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}. Mend the line or remove the file.") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error
    try:
        return TypeAdapter(FileSettings).validate_python(content)
    except ValidationError as error:
        raise SettingsError(_explain(path, error)) from error


def _api_url(text: str) -> str:
    url = text.strip() or SLACK_API_URL
    if not url.startswith(("https://", "http://")):
        raise SettingsError(f"SLACK_API_URL is {text!r}, expected a base URL such as {SLACK_API_URL}")
    return url if url.endswith("/") else f"{url}/"


def prepare_home(home: Path) -> None:
    """Make the data folder; raises SettingsError where it cannot be made or written."""
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if home.is_file() else (error.strerror or str(error))
        raise SettingsError(
            f"The data folder {home} cannot be made ({reason}). Set LOREKEEPER_HOME or --home to another folder."
        ) from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise SettingsError(
            f"The data folder {home} cannot be written. Mend its permissions, "
            "or set LOREKEEPER_HOME or --home to another folder."
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class SettingValue:
    """One setting of the file: what holds now, and what holds where the file says nothing."""

    key: str
    value: object
    default: object


def list_settings(file: FileSettings) -> Iterator[SettingValue]:
    """List every setting that the file may hold, in its order."""
    defaults = dataclasses.asdict(FileSettings())
    for section, values in dataclasses.asdict(file).items():
        for name, value in values.items():
            yield SettingValue(key=f"{section}.{name}", value=value, default=defaults[section][name])


def _explain(path: Path, error: ValidationError) -> str:
    # A union reports each of its members, with the member's name behind the key: one line per key is enough.
    values: dict[str, object] = {}
    expected: dict[str, list[str]] = {}
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"][:2])
        values[key] = problem["input"]
        expected.setdefault(key, []).append(_expectation(key, problem["type"], problem["msg"]))
    lines = [f"{path} has {len(expected)} setting(s) that cannot be used:"]
    for key, wanted in expected.items():
        if wanted[0].startswith("unknown"):
            lines.append(f"  {key}: {wanted[0]}")
        else:
            lines.append(f"  {key} = {values[key]!r}: expected {' or '.join(wanted)}")
    return "\n".join(lines)


def _expectation(key: str, kind: str, message: str) -> str:
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"unknown setting{_nearest(key)}; `lorekeeper doctor` lists them all"
    if kind == "dataclass_type":
        return f"a table, written as [{key}]"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    return message.removeprefix("Input should be ").split(", ")[0]


def _nearest(key: str) -> str:
    known = [setting.key for setting in list_settings(FileSettings())]
    known += sorted({name.partition(".")[0] for name in known})
    found = difflib.get_close_matches(key, known, n=1)
    return f" (did you mean {found[0]}?)" if found else ""
