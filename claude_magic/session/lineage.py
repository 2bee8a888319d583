"""The conversation in a transcript, as one line of turns.

Claude Code appends to a transcript and never removes anything. Each entry names its parent, so a
prompt that a crash cut off stays behind as a dead branch. Which branch a later process follows is
Claude Code's choice, and a ``last-prompt`` entry can make it choose the dead one. This module works
out the line of turns that belongs to the conversation, so that the transcript can be reduced to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

Entry: TypeAlias = "dict[str, Any]"

#: Stop reasons of a message that does not end its turn.
_GOES_ON = {"tool_use", "pause_turn"}

_INTERRUPTED = "[Request interrupted by user"


@dataclass(frozen=True, slots=True)
class Lineage:
    """The conversation in a transcript, as one line of turns.

    Attributes
    ----------
    entries
        The transcript reduced to the conversation.
    removed
        Entries of the transcript that are not part of the conversation.
    end
        Id of the last message; None if there is no message.
    prompts
        Ids of the prompts in the conversation, oldest first.
    missing
        Ids of prompts that were answered and that the transcript does not hold, oldest first.
    relinked
        Whether an entry got another parent.
    misleading
        Whether a ``last-prompt`` entry names an end outside the conversation.
    """

    entries: tuple[Entry, ...]
    removed: tuple[Entry, ...]
    end: str | None
    prompts: tuple[str, ...]
    missing: tuple[str, ...]
    relinked: bool
    misleading: bool

    @property
    def differs(self) -> bool:
        """Whether the transcript has to be rewritten to hold this conversation only."""
        return bool(self.removed) or self.relinked or self.misleading


@dataclass(slots=True)
class _Turn:
    """One prompt with everything that descends from it.

    Attributes
    ----------
    prompt
        The entry of the prompt.
    parent
        Id of the prompt of the turn before; None at the beginning.
    anchor
        Id of the message that the prompt follows; None at the beginning.
    entries
        All entries of the turn, in the order of the file.
    """

    prompt: Entry
    parent: str | None
    anchor: str | None
    entries: list[Entry] = field(default_factory=list)

    @property
    def id(self) -> str:
        return str(self.prompt["uuid"])

    @property
    def end(self) -> str:
        return next(str(e["uuid"]) for e in reversed(self.entries) if is_message(e))

    @property
    def ended(self) -> bool:
        return any(ends_turn(entry) or _is_interruption(entry) for entry in self.entries)


def lineage(
    entries: Sequence[Entry],
    without: Collection[str] = (),
    answered: Collection[str] = (),
    *,
    strict: bool = False,
) -> Lineage:
    """Work out the conversation in a transcript.

    Parameters
    ----------
    entries
        The transcript, in the order of the file.
    without
        Ids of prompts that are left out with everything that descends from them, except answered
        turns.
    answered
        Ids of prompts that are known to be part of the conversation, oldest first.
    strict
        Whether to remove everything else as well: branches that were left on purpose, and all
        ``last-prompt`` entries that name an end.
    """
    vain = _vain_compaction(entries, {*without} - set(answered))
    if vain is not None:
        kept_entries = [entry for entry in entries[:vain] if not _names_end(entry)]
        found = lineage(kept_entries, without, answered, strict=strict)
        return replace(found, removed=(*found.removed, *filter(_is_row, entries[vain:])))
    turns, owners = _turns_of(entries)
    start = _last_compaction(entries)
    latest = {id(entry) for entry in entries[start:]}
    known = set(answered)
    left_out = {*without, *_rewound(entries, owners)} & turns.keys() - known
    for turn in turns.values():  # each after the one that it follows
        if turn.parent in left_out and turn.id not in known:
            left_out.add(turn.id)
    alive = _alive(entries, turns, owners, left_out, known, latest)
    spare = turns.keys() - alive if strict else _superseded(turns) - alive
    dropped = left_out | {each for each in spare if id(turns[each].prompt) in latest}
    parents = _new_parents(entries, owners, [turns[e] for e in turns if e in alive], latest)
    misleading = _is_misled(entries, owners, alive)
    rewritten = bool(parents) or misleading or strict or any(e in dropped for e in owners.values())
    kept: list[Entry] = []
    removed: list[Entry] = []
    for entry in entries:
        if _is_row(entry) and owners[str(entry["uuid"])] in dropped:
            removed.append(entry)
        elif not (rewritten and _names_end(entry)):
            row_id = str(entry.get("uuid"))
            kept.append(
                {**entry, "parentUuid": parents[row_id]} if row_id in parents else entry,
            )
    part = {*alive, None}
    held = {str(entry["uuid"]) for entry in kept if _is_row(entry)}
    living = [
        entry
        for entry in entries
        if _is_row(entry) and owners[str(entry["uuid"])] in part and is_message(entry)
    ]
    return Lineage(
        tuple(kept),
        tuple(removed),
        str(living[-1]["uuid"]) if living else None,
        tuple(each for each in turns if each in alive),
        tuple(each for each in answered if each not in held),
        relinked=bool(parents),
        misleading=misleading,
    )


def is_message(entry: Entry) -> bool:
    """Tell whether an entry is a message of the conversation."""
    # A turn that was stopped before its first word ends with one of the user's.
    return entry.get("type") in ("assistant", "user")


def ends_turn(entry: Entry) -> bool:
    """Tell whether an entry is the last message of an answer."""
    message = entry.get("message") if entry.get("type") == "assistant" else None
    if not isinstance(message, dict):
        return False
    # "No response requested." is Claude Code's own, put behind a prompt that a crash cut off.
    own = message.get("model") == "<synthetic>" and not entry.get("isApiErrorMessage")
    reason = message.get("stop_reason")
    return not own and isinstance(reason, str) and reason not in _GOES_ON


def _is_row(entry: Entry) -> bool:
    """Tell whether an entry has a place in the conversation; others are notes about it."""
    return isinstance(entry.get("uuid"), str) and not entry.get("isSidechain")


def _texts(entry: Entry) -> Iterator[str]:
    message = entry.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for block in content:
            if isinstance(block, dict) and isinstance(block.get("text"), str):
                yield block["text"]


def _is_interruption(entry: Entry) -> bool:
    return entry.get("type") == "user" and any(
        text.startswith(_INTERRUPTED) for text in _texts(entry)
    )


def _is_prompt(entry: Entry) -> bool:
    if entry.get("type") != "user" or entry.get("isMeta") or entry.get("isCompactSummary"):
        return False
    message = entry.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    results = isinstance(content, list) and any(
        isinstance(block, dict) and block.get("type") == "tool_result" for block in content
    )
    # The results of the caller's own tools come with a prompt of ours.
    return not (results and "promptSource" not in entry) and not _is_interruption(entry)


def _turns_of(entries: Sequence[Entry]) -> tuple[dict[str, _Turn], dict[str, str | None]]:
    """Return the turns by the ids of their prompts, and the turn of each entry."""
    rows: dict[str, Entry] = {}
    for entry in entries:
        if _is_row(entry):
            rows.setdefault(str(entry["uuid"]), entry)
    owners: dict[str, str | None] = {}
    anchors: dict[str, str | None] = {}
    turns: dict[str, _Turn] = {}
    for row_id in rows:
        # An entry comes after its parent, except where a store has merged two files.
        path: dict[str, None] = {}
        at: str | None = row_id
        while at is not None and at in rows and at not in owners and at not in path:
            path[at] = None
            parent = rows[at].get("parentUuid")
            at = parent if isinstance(parent, str) else None
        for each in reversed(path):
            parent = rows[each].get("parentUuid")
            before = rows.get(parent) if isinstance(parent, str) else None
            anchor = owner = None
            if before is not None and isinstance(parent, str):
                anchor, owner = anchors.get(parent), owners.get(parent)
            if _is_prompt(rows[each]):
                turns[each] = _Turn(rows[each], owner, anchor)
                owner = each
            owners[each] = owner
            anchors[each] = each if is_message(rows[each]) else anchor
    for row_id, row in rows.items():
        owner = owners[row_id]
        if owner is not None:
            turns[owner].entries.append(row)
    return turns, owners


def _last_compaction(entries: Sequence[Entry]) -> int:
    """Return the index of the summary that the conversation begins with; 0 for none."""
    found = 0
    for index, entry in enumerate(entries):
        if entry.get("subtype") == "compact_boundary" and not entry.get("isSidechain"):
            found = index
    return found


def _vain_compaction(entries: Sequence[Entry], without: Collection[str]) -> int | None:
    """Return the index of a summary made for a prompt that is left out, if nothing followed it."""
    start = _last_compaction(entries)
    if start == 0 or not any(_is_row(e) and e["uuid"] in without for e in entries[:start]):
        return None
    answered = any(ends_turn(e) and not e.get("isApiErrorMessage") for e in entries[start:])
    return None if answered else start


def _rewound(entries: Sequence[Entry], owners: dict[str, str | None]) -> set[str]:
    """Return the prompts that were taken back on request, before anything else was said."""
    taken_back: set[str] = set()
    so_far: dict[str, str | None] = {}
    for entry in entries:
        if _is_row(entry):
            owner = owners[str(entry["uuid"])]
            if owner is not None:
                parent = entry.get("parentUuid") if owner == entry["uuid"] else None
                so_far.setdefault(owner, owners.get(str(parent)))
        elif entry.get("type") == "last-prompt" and entry.get("rewound") is True:
            cut = entry.get("cutUuid")
            if entry.get("leafUuid") is None:
                taken_back.update(so_far)
            elif isinstance(cut, str) and owners.get(cut) in so_far:
                gone = {owners[cut]}
                for prompt, parent in so_far.items():
                    if parent in gone:
                        gone.add(prompt)
                taken_back.update(each for each in gone if each is not None)
    return taken_back


def _superseded(turns: dict[str, _Turn]) -> set[str]:
    """Return the prompts without an answer that another prompt has taken the place of."""
    found: set[str] = set()
    followed: set[str | None] = set()
    for turn in reversed(turns.values()):
        if turn.anchor in followed and not turn.ended:
            found.add(turn.id)
        followed.add(turn.anchor)
    return found


def _alive(  # noqa: PLR0913, PLR0917 - all that is known of a transcript
    entries: Sequence[Entry],
    turns: dict[str, _Turn],
    owners: dict[str, str | None],
    left_out: set[str],
    answered: set[str],
    latest: set[int],
) -> set[str]:
    """Return the prompts of the turns that belong to the conversation."""
    abandoned = _superseded(turns) - answered
    end = next(
        (
            owners[str(entry["uuid"])]
            for entry in reversed(entries)
            if _is_row(entry) and is_message(entry) and owners[str(entry["uuid"])] not in left_out
        ),
        None,
    )
    line: set[str] = set()
    while end is not None and end not in line:
        line.add(end)
        end = turns[end].parent
    alive = (line - left_out) | (answered & turns.keys())
    if alive & abandoned:
        # Version 0.1 went on behind a prompt that was cut off, and lost what came after the other
        # attempt at it. Both were said, one after the other.
        alive -= abandoned
        alive |= {
            turn.id
            for turn in turns.values()
            if turn.ended and turn.id not in left_out and id(turn.prompt) in latest
        }
    return alive


def _new_parents(
    entries: Sequence[Entry],
    owners: dict[str, str | None],
    alive: Sequence[_Turn],
    latest: set[int],
) -> dict[str, str | None]:
    """Return the parents by which each turn follows the one before it, where it does not yet."""
    first = [
        str(entry["uuid"])
        for entry in entries
        if _is_row(entry) and is_message(entry) and owners[str(entry["uuid"])] is None
    ]
    before: _Turn | None = None
    parents: dict[str, str | None] = {}
    for turn in alive:
        if id(turn.prompt) not in latest:
            continue
        parent = turn.prompt.get("parentUuid")
        parent = parent if isinstance(parent, str) else None
        if before is not None:
            if turn.parent != before.id:
                parents[turn.id] = before.end
        elif parent is not None and (
            # It was never written down, or is left out.
            parent not in owners or not {turn.parent, None} <= {*(each.id for each in alive), None}
        ):
            parents[turn.id] = first[-1] if first else None
        before = turn
    return parents


def _names_end(entry: Entry) -> bool:
    return entry.get("type") == "last-prompt" and "leafUuid" in entry


def _is_misled(
    entries: Sequence[Entry],
    owners: dict[str, str | None],
    alive: set[str],
) -> bool:
    """Tell whether the last entry that names an end of the conversation names another one."""
    ends = [entry.get("leafUuid") for entry in entries if _names_end(entry)]
    if not ends or ends[-1] is None:
        return False
    return owners.get(str(ends[-1]), "") not in {*alive, None}
