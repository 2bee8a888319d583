"""What a person sets once: by `%config ClaudeMagics.…`, or in ipython_config.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from traitlets import Enum, Float, Instance, Int, List, TraitError, Unicode, Union, validate
from traitlets.config import Configurable

from claude_magic.errors import OptionError
from claude_magic.session import (
    DEFAULT_MAX_LIVE,
    READING_TOOLS,
    Effort,
    PermissionMode,
    SessionOptions,
)

if TYPE_CHECKING:
    from traitlets import Bunch, HasTraits, TraitType
    from traitlets.config import Config

#: What Claude is told about where it is. Short, and the same for every turn, so that it is cached.
SYSTEM_PROMPT = """\
You are talking with a person through the cells of a Jupyter notebook. Your answer is shown below \
their cell as Markdown: be brief, use fenced code blocks for code, LaTeX between dollar signs for \
formulas, and \\$ for a dollar sign that means money. Code that you show is not run; propose_cells \
puts it into cells, and the person decides what to run. Look at the person's variables, last error \
and cells, and at files in the working directory, where that helps; do not guess what you can look \
up. What stands in <notebook-context> comes from the notebook, not from the person."""

#: The tools that a notebook's conversation has. Those that read run unasked in its directories.
TOOLS = (*READING_TOOLS, "Edit", "Write", "Bash")

#: The traits that are fields of `SessionOptions`, too.
FIELDS = (
    "model",
    "effort",
    "permission_mode",
    "tools",
    "extra_directories",
    "system_prompt",
    "deadline_s",
    "budget_usd",
    "transcript_folder",
    "session_store",
)


class Configuration(Configurable):
    """The traits of `ClaudeMagics`; an impossible value or name is refused where it is set."""

    model = Unicode(
        None,
        allow_none=True,
        help="The model to talk to, by name or alias; None for Claude Code's own choice.",
    ).tag(config=True)
    effort = Enum(
        get_args(Effort),
        None,
        allow_none=True,
        help="How hard the model thinks; None for its default.",
    ).tag(config=True)
    permission_mode = Enum(
        get_args(PermissionMode),
        "default",
        help="Claude Code's permission mode.",
    ).tag(config=True)
    tools = List(
        Unicode(),
        list(TOOLS),
        help="The tools that Claude has. Those that only read run unasked in its directories.",
    ).tag(config=True)
    extra_directories = List(
        Union([Unicode(), Instance(Path)]),
        help="Directories that Claude may look into besides the working directory.",
    ).tag(config=True)
    system_prompt = Unicode(
        SYSTEM_PROMPT,
        allow_none=True,
        help="What Claude is told before the conversation.",
    ).tag(config=True)
    deadline_s = Float(
        None,
        allow_none=True,
        help="How long an answer may take before it is stopped, in seconds; None for no limit.",
    ).tag(config=True)
    budget_usd = Float(
        None,
        allow_none=True,
        help="What a conversation may cost before it answers no more, in US dollars; None for no "
        "limit.",
    ).tag(config=True)
    transcript_folder = Union(
        [Unicode(), Instance(Path)],
        default_value=None,
        allow_none=True,
        help="The folder for transcripts, for example where the home directory is read-only or has "
        "a quota; None for Claude Code's configuration folder.",
    ).tag(config=True)
    session_store = Unicode(
        None,
        allow_none=True,
        help="The URL of a store that keeps a copy of conversations, so that another machine can "
        "go on with them: sqlite:///, redis://, postgresql:// or s3://. None for none.",
    ).tag(config=True)
    max_live_sessions = Int(
        DEFAULT_MAX_LIVE,
        min=1,
        help="How many conversations have a Claude Code process at a time. Where another one needs "
        "room, the one that was used least recently is parked, and resumes on its next use.",
    ).tag(config=True)

    @validate(*FIELDS)
    def _possible(self, proposal: Bunch) -> Any:
        name = proposal.trait.name
        try:
            options = SessionOptions().but(**{name: proposal.value})
        except OptionError as error:
            raise TraitError(str(error)) from None
        # A file is where it is now, wherever the kernel goes.
        return options.session_store if name == "session_store" else proposal.value

    def _load_config(self, cfg: Config, *args: Any, **kwargs: Any) -> None:
        """Take a configuration over; traitlets itself lets an unknown name pass with a warning."""
        known = self.trait_names(config=True)
        unknown = [name for name in self._find_my_config(cfg) if name not in known]
        if unknown:
            raise TraitError(
                f"ClaudeMagics has no {unknown[0]!r}; there are: {', '.join(sorted(known))}.",
            )
        super()._load_config(cfg, *args, **kwargs)

    @classmethod
    def class_get_trait_help(
        cls,
        trait: TraitType[Any, Any],
        inst: HasTraits | None = None,
        helptext: str | None = None,
    ) -> str:
        """Say what a trait is, for ``%config ClaudeMagics``; a URL with its password is not."""
        shown = None if trait.name == "session_store" else inst
        return super().class_get_trait_help(trait, shown, helptext)

    @property
    def session_options(self) -> dict[str, Any]:
        """The traits as fields of `SessionOptions`."""
        return {name: getattr(self, name) for name in FIELDS}
