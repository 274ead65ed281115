"""The demo's live view: a row for each journey, the latest words of the one under way, and a closing table."""

import time
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

LINES_SHOWN = 14
MARKS = {"waiting": ("·", "dim"), "running": ("▶", "cyan"), "ok": ("✓", "green"), "failed": ("✗", "bold red")}


@dataclass
class Row:
    """One journey on the screen."""

    name: str
    state: str = "waiting"
    began: float = 0.0
    seconds: float = 0.0
    lines: list[str] = field(default_factory=list)


class Screen:
    """Live where it is a terminal; plain lines where it is not."""

    def __init__(self, names: list[str], console: Console | None = None) -> None:
        self._console = console or Console()
        self.rows = [Row(name) for name in names]
        self._heading = ""
        self._live = Live(self._picture(), console=self._console, refresh_per_second=8, transient=True)

    def __enter__(self) -> "Screen":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def heading(self, text: str) -> None:
        """What is being set up."""
        self._heading = text
        self._show(f"准备：{text}")

    def begin(self, row: Row) -> None:
        """A journey starts."""
        row.state, row.began = "running", time.monotonic()
        self._heading = ""
        self._show(f"▶ {row.name}")

    def say(self, row: Row, line: str) -> None:
        """Something happened in it."""
        row.lines.append(line)
        self._show(f"    {line}")

    def end(self, row: Row, *, ok: bool) -> None:
        """It ended."""
        row.state, row.seconds = "ok" if ok else "failed", time.monotonic() - row.began
        self._show(f"{MARKS[row.state][0]} {row.name}（{row.seconds:.1f} 秒）")

    def closing(self) -> None:
        """The table that stays on the screen."""
        self._live.stop()
        self._console.print(self._table())

    def _show(self, line: str) -> None:
        if self._console.is_terminal:
            self._live.update(self._picture())
        else:
            self._console.print(line, highlight=False)

    def _table(self) -> Table:
        table = Table(title="办电网关 · 演示", show_lines=False)
        table.add_column("")
        table.add_column("旅程")
        table.add_column("秒", justify="right")
        for row in self.rows:
            mark, style = MARKS[row.state]
            seconds = f"{row.seconds:.1f}" if row.seconds else ""
            table.add_row(Text(mark, style), Text(row.name, style if row.state == "failed" else ""), seconds)
        return table

    def _picture(self) -> Group:
        running = next((row for row in self.rows if row.state == "running"), None)
        lines = running.lines[-LINES_SHOWN:] if running else []
        head = Text(f"准备：{self._heading}", "cyan") if self._heading else Text("")
        return Group(self._table(), head, *(Text(f"  {line}", overflow="ellipsis", no_wrap=True) for line in lines))
