"""The page of labels in a cell of a notebook, by anywidget. There is no server, and no port is open."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import pandas as pd

from bench.data.table_place import folder_before
from bench.errors import BenchError
from bench.storage.tables import parse_csv
from bench.studies.label.answers import answer
from bench.studies.label.items import LabelRequest, Progress, read_task
from bench.studies.label.labelling import Labelling
from bench.studies.label.page import cell_html, cell_module, cell_style
from bench.studies.label.pictures import Pictures
from bench.studies.label.table import EXAMPLE, about_labels, opened_for


def label_widget(request: LabelRequest, to: Path, on_progress: Progress | None = None) -> Any:
    """Return a LabelWidget of what is to be labelled. to: the label table, beside which its journal lies.

    Raises BenchError without anywidget, and where there is nothing to label or the table cannot be written there.
    """
    made = widget_class()
    earlier = made.at_work.get(to.resolve())
    if earlier is not None:  # the cell was run again
        earlier.done()
    task = read_task(request, on_progress)
    folder_before(task.root, to, EXAMPLE)
    with ExitStack() as stack:
        journal = stack.enter_context(opened_for(to, about_labels(task.root, to, request.source.instances)))
        labelling = stack.enter_context(closing(Labelling(task, journal, to)))
        pictures = Pictures(task.rows, task.root, request.out / "store", follow_links=task.follow_links)
        widget = made(labelling, pictures, stack.pop_all())
    made.at_work[to.resolve()] = widget
    return widget


@cache
def widget_class() -> Any:
    """Return the class LabelWidget, which needs anywidget to be made."""
    try:
        import anywidget
        import traitlets
    except ImportError:
        raise BenchError(
            "Got bench.label without anywidget; expected it installed: pip install '.[notebook]'. The same page "
            "without a notebook: `bench label`."
        ) from None

    class LabelWidget(anywidget.AnyWidget):
        """Images or cells to label in a cell of a notebook, by keys, mouse or finger; see `bench.label`."""

        #: Table -> the widget that writes it now, in this kernel: a cell that is run again takes over from itself.
        at_work: ClassVar[WeakValueDictionary[Path, Any]] = WeakValueDictionary()
        _esm = cell_module()
        _page = traitlets.Unicode().tag(sync=True)
        _look = traitlets.Unicode(cell_style()).tag(sync=True)

        def __init__(self, labelling: Labelling, pictures: Pictures, held: ExitStack) -> None:
            what = "cell" if labelling.task.regions else "image"
            super().__init__(_page=cell_html(labelling.task.name, what))
            self._labelling, self._pictures, self._held = labelling, pictures, held
            self.on_msg(self._hear)

        @property
        def path(self) -> Path:
            """Where the label table is written; its journal lies beside it."""
            return self._labelling.to

        def table(self) -> pd.DataFrame:
            """Return the labels so far: columns path and label, and those that docs/label.md names."""
            return parse_csv(self._labelling.table_bytes())

        def counts(self) -> dict[str, int]:
            """Return class -> how many have it so far."""
            return dict(self._labelling.tally().labels)

        def done(self) -> None:
            """End labelling: the table is written, and another cell or program may go on."""
            self._held.close()

        def _hear(self, widget: Any, message: object, buffers: object) -> None:
            found = answer(self._labelling, self._pictures, message)
            if found is not None:
                told, data = found
                self.send(told, data)
                if isinstance(message, dict) and message.get("ask") == "done" and "error" not in told:
                    self.done()

    return LabelWidget
