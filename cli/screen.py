"""What `portrait up` shows: a board of live figures. The loop of `cli.up` fills it, `render` draws it; no I/O here."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.child import Figures
from cli.present import STAGES, Lang, LangChoice, bar, clock, plain, say, stage_text
from cli.top import table
from cli.watch import Move
from profile_store.reader import Profile
from schemas.outputs import Action

MOVES_KEPT = ACTIONS_KEPT = 50
RATE_OVER_S = 5.0
STAGES_COLUMNS, MOVES_COLUMNS = 38, 54  # at the most, frames included
BAR_COLUMNS = 14
FRAME_ROWS = 2  # a panel's
QUIET = "bright_black"


@dataclass
class Board:
    """Latest figures. Moves and actions: newest first."""

    lang: LangChoice
    pasteable: Sequence[str]
    where: str
    figures: Figures = field(default_factory=Figures)
    stages: Mapping[str, int] = field(default_factory=dict)
    riskiest: Sequence[Profile] = ()
    moves: deque[Move] = field(default_factory=lambda: deque(maxlen=MOVES_KEPT))
    actions: list[tuple[Action, Lang]] = field(default_factory=list)
    left_s: float | None = None  # until it ends by itself
    _folded: deque[tuple[float, int]] = field(default_factory=deque)

    def measured(self, at_s: float, figures: Figures) -> None:
        """New figures, as of a clock that only goes on."""
        self.figures = figures
        self._folded.append((at_s, figures.folded))
        while at_s - self._folded[0][0] > RATE_OVER_S:
            self._folded.popleft()

    def acted(self, action: Action, lang: Lang) -> None:
        """An action, in whatever order they come; one that was published twice counts once."""
        if all(action.id != known.id for known, _ in self.actions):
            self.actions.append((action, lang))
            self.actions.sort(key=lambda item: item[0].raised_at_ms, reverse=True)
            del self.actions[ACTIONS_KEPT:]

    @property
    def profiles(self) -> int:
        return sum(self.stages.values())

    @property
    def events_per_s(self) -> float:
        """Folded, over the last seconds."""
        (since_s, before), (until_s, now) = (self._folded[0], self._folded[-1]) if self._folded else ((0.0, 0), (0.0, 0))
        return (now - before) / (until_s - since_s) if until_s > since_s else 0.0

    @property
    def summary(self) -> str:
        """One line of figures."""
        f = self.figures
        return (
            f"{self.profiles:,} profiles   {f.folded:,} events   {self.events_per_s:.0f}/s   lag {f.lag:,}   "
            f"{f.actions:,} actions   model {f.model} ({f.lessons:,} lessons)"
        )


def render(board: Board, width: int, height: int) -> RenderableType:
    """The whole screen, in these columns and rows."""
    head, foot = _head(board), _foot(board)
    upper = len(STAGES) + FRAME_ROWS
    lower = max(3, height - upper - len(foot) - 2)
    layout = Layout()
    layout.split_column(
        Layout(Group(*head), size=2), Layout(name="upper", size=upper), Layout(name="lower", size=lower), Layout(Group(*foot))
    )
    left = min(STAGES_COLUMNS, width // 2)
    layout["upper"].split_row(
        Layout(_panel("stages", _stages(board)), size=left), Layout(_panel("most likely to leave", _riskiest(board, upper)))
    )
    rows = lower - FRAME_ROWS
    half = max(left, min(MOVES_COLUMNS, width // 2))
    layout["lower"].split_row(
        Layout(_panel("moving", _moves(board, rows)), size=half), Layout(_panel("retention actions", _actions(board, rows)))
    )
    return layout


def _panel(title: str, inside: RenderableType) -> Panel:
    return Panel(inside, title=title, title_align="left", border_style=QUIET, padding=(0, 1))


def _head(board: Board) -> list[Text]:
    title = Text.assemble(("Portrait ", "bold cyan"), (board.summary, "bold"))
    if board.left_s is not None:
        title.append(f"   ends in {board.left_s:.0f} s", QUIET)
    lines = [title, Text(board.where, QUIET)]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return lines


def _foot(board: Board) -> list[Text]:
    """Lines to paste stand free, without a frame."""
    hint = Text("In another terminal (Ctrl-C here ends everything):", QUIET)
    return [hint, *(Text(f"  {line}", "bold", no_wrap=True, overflow="crop") for line in board.pasteable)]


def _stages(board: Board) -> Table:
    grid = Table.grid(padding=(0, 1))
    most = max(board.stages.values(), default=0)
    for stage in STAGES:
        n = board.stages.get(stage, 0)
        share = n / most if most else 0.0
        grid.add_row(stage_text(stage, board.lang), bar(share, BAR_COLUMNS, STAGES[stage][0]), Text(f"{n:,}", justify="right"))
    return grid


def _riskiest(board: Board, rows: int) -> RenderableType:
    if not board.riskiest:
        return Text("nobody has bought anything yet", QUIET)
    return table(board.riskiest[: rows - FRAME_ROWS], board.lang, header=False)


def _moves(board: Board, rows: int) -> RenderableType:
    if not board.moves:
        return Text("waiting for a stage or a risk to move", QUIET)
    return Group(*(_one_line(move_line(move)) for move in list(board.moves)[: max(1, rows)]))


def _actions(board: Board, rows: int) -> RenderableType:
    if not board.actions:
        return Text("none yet", QUIET)
    return Group(*(_one_line(action_line(*item, board.lang)) for item in board.actions[: max(1, rows)]))


def _one_line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def move_line(move: Move) -> Text:
    return Text.assemble((clock(move.at_ms), QUIET), f" {plain(move.profile.id)} ", move.text)


def action_line(action: Action, own: Lang, lang: LangChoice) -> Text:
    suggestion = say({"en": action.suggest.en, "zh": action.suggest.zh}, lang, own)
    return Text.assemble(f"{plain(action.customer_id)} ", (f"{action.rule} ", "cyan"), suggestion)
