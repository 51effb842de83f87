"""The table of calls: Textual's, but for how a line of it is put together.

Textual lays out each cell by itself, which for a screen of them takes a tenth of a second, and the gateway may run on
the same loop. Cells here are one line of plain text, so a line is their texts beside each other.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip
from textual.widgets import DataTable


class Table(DataTable[Text]):
    """Rows of one line each, columns of a given width, a cursor for rows."""

    def render_line(self, y: int) -> Strip:
        """A line of the screen: the header, or one of the rows that are in sight."""
        row = y - self.header_height + round(self.scroll_y) if y >= self.header_height else -1
        if row >= self.row_count:
            return Strip.blank(self.size.width, self.rich_style)
        at_cursor = False
        if row < 0:
            style, cells = self.get_component_rich_style("datatable--header"), [c.label for c in self.ordered_columns]
        else:
            where = Style.from_meta({"row": row, "column": 0})  # for who clicks there
            at_cursor = self.show_cursor and row == self.cursor_row
            style = (self.get_component_rich_style("datatable--cursor") if at_cursor else self.rich_style) + where
            cells = self.get_row_at(row)
        begin = round(self.scroll_x)
        coloured = row >= 0 and not at_cursor
        return Strip(self._segments(cells, style, coloured=coloured)).crop_extend(begin, begin + self.size.width, style)

    def _segments(self, cells: list[Text], style: Style, *, coloured: bool) -> Iterator[Segment]:
        padding = " " * self.cell_padding
        for column, cell in zip(self.ordered_columns, cells, strict=True):
            text = cell.plain
            if cell.justify == "right":
                text = text.rjust(column.width - cell_len(text) + len(text))
            own = Style.parse(cell.style) if coloured and isinstance(cell.style, str) and cell.style else None
            yield Segment(f"{padding}{set_cell_size(text, column.width)}{padding}", style + own if own else style)
